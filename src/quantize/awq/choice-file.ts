/** One block's choices as bytes, for checkpoints: exact, so that a resumed run is the same. */

import { AssayError } from '../../error.ts';
import type { BlockChoice } from './block-search.ts';

const version = 1;

/** JSON with float32 arrays in base64. */
export function encodeChoice(choice: BlockChoice): Uint8Array {
  const text = JSON.stringify({ version, ...choice }, (_, value) =>
    value instanceof Float32Array
      ? {
          float32: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString(
            'base64',
          ),
        }
      : value,
  );
  return new TextEncoder().encode(text);
}

/** Reads `encodeChoice` back. Throws for bytes of another kind. */
export function decodeChoice(bytes: Uint8Array): BlockChoice {
  const value = JSON.parse(new TextDecoder().decode(bytes), (_, item) => {
    if (item && typeof item === 'object' && typeof item.float32 === 'string') {
      const raw = Uint8Array.from(Buffer.from(item.float32, 'base64'));
      return new Float32Array(raw.buffer);
    }
    return item;
  });
  if (value?.version !== version) {
    throw new AssayError(
      'invalid-file',
      'awq: a checkpoint of another version: start anew',
    );
  }
  return { folds: value.folds, clips: value.clips };
}
