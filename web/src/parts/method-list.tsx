/** Methods in a list, each with its summary and the paper it comes from. */

import { Link } from '@tanstack/react-router';
import type { MethodInfo } from '../api/types.ts';

export function MethodList({ methods }: { readonly methods: readonly MethodInfo[] }) {
  return (
    <ul className="rivals">
      {methods.map((method) => (
        <li key={method.name}>
          <Link to="/methods/$name" params={{ name: method.name }}>
            {method.title}
          </Link>
          <span className="rival-kind">
            {method.paper === null ? (
              'baseline'
            ) : (
              <Link to="/papers/$slug" params={{ slug: method.paper }}>
                paper
              </Link>
            )}
          </span>
          <p>{method.summary}</p>
        </li>
      ))}
    </ul>
  );
}
