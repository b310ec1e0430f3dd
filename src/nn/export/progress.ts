/** Progress of an export: a tensor's worth of bytes is done when it has been loaded. */

import { throwIfCancelled } from '../../error.ts';
import type { ExportContext } from './source.ts';

interface Loadable {
  readonly name: string;
  readonly byteLength: number;
  load(): Promise<Uint8Array>;
}

/** The same tensors, which report and look for a cancellation as they are loaded. */
export function reportProgress<T extends Loadable>(
  tensors: readonly T[],
  context: ExportContext,
): T[] {
  const total = tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0);
  let done = 0;
  return tensors.map((tensor) => ({
    ...tensor,
    load: async () => {
      throwIfCancelled(context.signal, 'the export');
      const bytes = await tensor.load();
      done += tensor.byteLength;
      context.progress?.({ done, total, label: `writing ${tensor.name}` });
      return bytes;
    },
  }));
}
