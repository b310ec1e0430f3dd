/** One block's choices as bytes, for checkpoints: exact, so that a resumed run is the same. */

import { z } from 'zod';
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

/**
 * Reads `encodeChoice` back.
 * @throws AssayError `invalid-file` for bytes of another kind or version.
 */
export function decodeChoice(bytes: Uint8Array): BlockChoice {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes), revive);
  } catch (error) {
    throw damaged('it is no JSON', error);
  }
  const parsed = choiceSchema.safeParse(value);
  if (!parsed.success) throw damaged(parsed.error.issues[0].message, parsed.error);
  const { folds, clips } = parsed.data;
  return { folds, clips };
}

const numbers = z.instanceof(Float32Array<ArrayBuffer>);
const choiceSchema = z.object({
  version: z.literal(version),
  folds: z.array(
    z.object({
      layers: z.array(z.string()),
      tap: z.enum(['attentionInput', 'attended', 'feedForwardInput', 'activated']),
      alpha: z.number(),
      scales: numbers,
      // JSON has no infinities: a loss that was not finite comes back as NaN.
      losses: z.array(
        z
          .number()
          .nullable()
          .transform((loss) => loss ?? Number.NaN),
      ),
    }),
  ),
  clips: z.record(z.string(), numbers),
});

function revive(_: string, item: unknown): unknown {
  const text = (item as { float32?: unknown } | null)?.float32;
  if (typeof text !== 'string') return item;
  const raw = Uint8Array.from(Buffer.from(text, 'base64'));
  return new Float32Array(raw.buffer);
}

function damaged(reason: string, cause: unknown): AssayError {
  return new AssayError(
    'invalid-file',
    `awq: the checkpoint of this run cannot be used (${reason}); start the run anew`,
    { cause },
  );
}
