/** The rivals of a default comparison. */

import type { Candidate } from '../nouns/task.ts';
import type { QuantizeInput } from './input.ts';
import { automaticGroupSize, selectLayers } from './layers.ts';

/** Round-to-nearest at 8, 4 and 3 bits, integers at 8 and 4, AWQ at 4 and 3. */
export function defaultCandidates(input: QuantizeInput): Candidate[] {
  const groupSize = automaticGroupSize(selectLayers(input.model.config, ''));
  return [
    ...[8, 4, 3].map((bits) => ({
      method: 'round-to-nearest',
      options: { bits, groupSize },
    })),
    ...[8, 4].map((weightBits) => ({
      method: 'integer-quantization',
      options: { weightBits, granularity: 'per-channel' },
    })),
    ...[4, 3].map((bits) => ({ method: 'awq', options: { bits, groupSize } })),
  ];
}
