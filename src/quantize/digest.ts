/** What identifies a quantized model: codes, scales, zeros, floats and activation grids. */

import { createHash } from 'node:crypto';
import { bytesOf } from '../format/stored-values.ts';
import type { QuantizedModel } from '../nn/quantized.ts';

/** SHA-256 over everything that the model computes with; the report does not count. */
export function quantizedDigest(model: QuantizedModel): string {
  const hash = createHash('sha256');
  const sorted = <T>(record: Readonly<Record<string, T>>): [string, T][] =>
    Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  hash.update(JSON.stringify(sorted({ ...model.config })));
  for (const [name, matrix] of sorted(model.matrices)) {
    const { shape, bits, groupSize, symmetric, perTensor } = matrix;
    hash.update(JSON.stringify([name, shape, bits, groupSize, symmetric, perTensor]));
    hash.update(matrix.codes).update(bytesOf(matrix.scales)).update(matrix.zeros);
    if (matrix.inputScales) hash.update('inputs').update(bytesOf(matrix.inputScales));
  }
  for (const [name, tensor] of sorted(model.floats)) {
    hash.update(JSON.stringify([name, tensor.shape])).update(bytesOf(tensor.data));
  }
  for (const [name, { bits, scale, zero }] of sorted(model.activations)) {
    hash.update(JSON.stringify([name, bits, scale, zero]));
  }
  return hash.digest('hex');
}
