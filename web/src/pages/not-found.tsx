/** Nothing is at this address. */

import { Link } from '@tanstack/react-router';
import { usePageTitle } from '../parts/page.ts';

export function NotFoundPage({ what }: { readonly what?: string }) {
  usePageTitle('Not found');
  return (
    <div className="not-found">
      <h1>Nothing here</h1>
      <p>{what ?? 'There is no page at this address.'}</p>
      <p className="actions">
        <Link to="/" className="button">
          All papers
        </Link>
        <Link to="/rooms" className="quiet-button">
          All rooms
        </Link>
      </p>
    </div>
  );
}
