/** Runs every linear layer of a model in integers and compares with fake quantization. */

import { type Affine, affineCodes, chooseAffine } from '../../array/quantizer/affine.ts';
import { dequantizeMatrix } from '../../array/quantizer/matrix.ts';
import { float32 } from '../../array/tensor.ts';
import { linearLayers } from '../../nn/decoder/linear-layers.ts';
import type { QuantizedModel } from '../../nn/quantized.ts';
import type { RunContext } from '../../nouns/run.ts';
import { floatPass, tokenRows } from '../float-pass.ts';
import type { QuantizeInput } from '../input.ts';
import {
  floatLinear,
  integerLinear,
  runIntegerLinear,
  simulateLinear,
} from './integer-linear.ts';

export interface ExecutionAgreement {
  /** Output codes compared. */
  readonly entries: number;
  readonly equal: number;
  /** Equal or one code apart. */
  readonly withinOne: number;
}

/**
 * Feeds the calibration activations (`tokens` rows of each input) through the integer
 * executor and its float twin. Output grids are the extremes of the rounded layer's float
 * output. The model must have activation grids of at most 8 bits.
 */
export async function compareExecution(
  input: QuantizeInput,
  model: QuantizedModel,
  tokens: number,
  context: RunContext,
): Promise<ExecutionAgreement> {
  const agreement = { entries: 0, equal: 0, withinOne: 0 };
  for await (const visit of floatPass(input, context)) {
    for (const layer of linearLayers(model.config)) {
      const name = visit.prefix + layer.name;
      const matrix = model.matrices[name];
      const { bits, scale, zero } = model.activations[name];
      const grid: Affine = { scale, zero, lowest: 0, highest: 2 ** bits - 1 };
      const rows = tokenRows(visit.taps[layer.tap]);
      const count = Math.min(tokens, rows.shape[0]);
      const x = float32(
        [count, layer.inFeatures],
        rows.data.subarray(0, count * layer.inFeatures),
      );
      const bias = layer.bias ? visit.parameters[layer.bias].data : null;
      const { data } = floatLinear(x, dequantizeMatrix(matrix), bias);
      let low = 0;
      let high = 0;
      for (const value of data) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
      const prepared = integerLinear(matrix, bias, grid, chooseAffine(low, high, bits));
      const codes = affineCodes(x.data, grid);
      const integer = runIntegerLinear(prepared, codes);
      const simulated = simulateLinear(prepared, codes);
      for (const [index, code] of integer.entries()) {
        const off = Math.abs(code - simulated[index]);
        agreement.entries += 1;
        if (off === 0) agreement.equal += 1;
        if (off <= 1) agreement.withinOne += 1;
      }
    }
  }
  return agreement;
}
