/** Everything needed to trace a stored result and run it again. */

import type { StoredResultItem } from '../api/types.ts';
import { formatBytes, formatSeconds } from './format.ts';

export function Provenance({ stored }: { readonly stored: StoredResultItem }) {
  const { machine } = stored;
  const inputs = stored.kind === 'claim' ? {} : stored.request.inputs;
  const facts: [name: string, value: string][] = [
    ...Object.entries(inputs).map(([name, value]): [string, string] => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
    ['seed', String(stored.seed)],
    ['took', formatSeconds(stored.seconds)],
    [
      'machine',
      `${machine.cpu}, ${machine.cores} cores, ${formatBytes(machine.memoryBytes)}, ${machine.os}`,
    ],
    [
      'versions',
      Object.entries(stored.versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
    ...Object.entries(stored.hashes).map(([name, hash]): [string, string] => [
      `SHA-256 of ${name}`,
      hash,
    ]),
    ['result', stored.id],
  ];
  return (
    <details className="provenance">
      <summary>How this was measured</summary>
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
