/** Maps the golden cases of integer-quantization to this implementation. */

import {
  affineCodes,
  affineValues,
  chooseAffine,
  fakeQuantize,
  fakeQuantizeGradient,
} from '../../array/quantizer/affine.ts';
import {
  fixedPointScale,
  rescale,
  roundingRightShift,
  saturatingDoublingHighMultiply,
} from '../../array/quantizer/fixed-point.ts';
import {
  integerProduct,
  requantize,
  transposeCodes,
} from '../../array/quantizer/integer-matmul.ts';
import type { Rounding } from '../../array/quantizer/rounding.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import { InvalidInputError } from '../../error.ts';
import { correctedBatchNorm, perChannelWeights } from './batch-norm.ts';

type Rows = readonly (readonly number[])[];

/** Output of the case `name` for `inputs`, in the form of its expected values. */
export function golden(name: string, inputs: unknown): unknown {
  const found = Object.keys(cases).find((stem) => name.startsWith(stem));
  if (!found) throw new InvalidInputError('name', Object.keys(cases).join(', '), name);
  return cases[found as keyof typeof cases](inputs as never);
}

const cases = {
  gemmlowp_choose_params_quantize: (
    items: readonly { min: number; max: number; x: number[] }[],
  ) =>
    items.map(({ min, max, x }) => {
      const affine = chooseAffine(min, max, 8, 'gemmlowp');
      const codes = affineCodes(x, affine);
      return {
        scale: affine.scale,
        zero: affine.zero,
        q: [...codes],
        deq: [...affineValues(codes, affine)],
      };
    }),

  gemmlowp_multiplier_requantize: (items: readonly { m: number; acc: number }[]) =>
    items.map(({ m, acc }) => {
      const scale = fixedPointScale(Math.fround(m));
      return { q: scale.multiplier, shift: scale.shift, out: rescale(acc, scale) };
    }),

  gemmlowp_srdhm: (pairs: Rows) =>
    pairs.map(([a, b]) => saturatingDoublingHighMultiply(a, b)),

  gemmlowp_rounding_divide_by_pot: (pairs: Rows) =>
    pairs.map(([x, exponent]) => roundingRightShift(x, exponent)),

  gemmlowp_integer_matmul: (inputs: {
    lhs: Rows;
    rhs: Rows;
    lhs_zero: number;
    rhs_zero: number;
    out_zero: number;
    multiplier: number;
    shift: number;
  }) => {
    const { lhs, rhs } = inputs;
    const columns = rhs[0].length;
    const left = {
      rows: lhs.length,
      columns: rhs.length,
      codes: Uint8Array.from(lhs.flat()),
      zero: inputs.lhs_zero,
    };
    const right = {
      rows: columns,
      columns: rhs.length,
      codes: transposeCodes(rhs.flat(), rhs.length, columns),
      zero: inputs.rhs_zero,
    };
    const codes = requantize(integerProduct(left, right), columns, null, [inputs], {
      zero: inputs.out_zero,
      lowest: 0,
      highest: 255,
    });
    return { out: toRows(codes, columns) };
  },

  torch_fake_quant_per_tensor: (inputs: {
    x: Rows;
    scale: number;
    zero: number;
    qmin: number;
    qmax: number;
    grad_out: Rows;
    rounding: string;
  }) => {
    const affine = {
      scale: inputs.scale,
      zero: inputs.zero,
      lowest: inputs.qmin,
      highest: inputs.qmax,
    };
    const x = inputs.x.flat();
    const columns = inputs.x[0].length;
    return {
      y: toRows(fakeQuantize(x, affine, roundingNamed(inputs.rounding)), columns),
      grad_x: toRows(
        fakeQuantizeGradient(x, inputs.grad_out.flat(), affine, 'codes'),
        columns,
      ),
    };
  },

  torch_fake_quant_per_channel: (inputs: {
    w: Rows;
    scale: readonly number[];
    qmin: number;
    qmax: number;
    grad_out: Rows;
    rounding: string;
  }) => {
    const affines = inputs.scale.map((scale) => ({
      scale,
      zero: 0,
      lowest: inputs.qmin,
      highest: inputs.qmax,
    }));
    const rounding = roundingNamed(inputs.rounding);
    return {
      y: inputs.w.map((row, index) => [...fakeQuantize(row, affines[index], rounding)]),
      grad_w: inputs.w.map((row, index) => [
        ...fakeQuantizeGradient(row, inputs.grad_out[index], affines[index], 'codes'),
      ]),
    };
  },

  bn_fold_correction: (inputs: {
    W: Rows;
    X: Rows;
    gamma: number[];
    beta: number[];
    mu: number[];
    var: number[];
    eps: number;
  }) => {
    const norm = {
      gamma: Float32Array.from(inputs.gamma),
      beta: Float32Array.from(inputs.beta),
      mean: Float32Array.from(inputs.mu),
      variance: Float32Array.from(inputs.var),
      epsilon: inputs.eps,
    };
    const x = matrix(inputs.X);
    const weight = matrix(inputs.W);
    const quantizer = perChannelWeights(8);
    const unfrozen = correctedBatchNorm(x, weight, norm, false, quantizer);
    const frozen = correctedBatchNorm(x, weight, norm, true, quantizer);
    const channels = inputs.W.length;
    return {
      w_corrected: toRows(unfrozen.weight.data, inputs.W[0].length),
      out_unfrozen: toRows(unfrozen.output.data, channels),
      out_frozen: toRows(frozen.output.data, channels),
    };
  },
};

function roundingNamed(words: string): Rounding {
  return words.includes('even') ? 'half-even' : 'half-away';
}

function matrix(rows: Rows): Tensor {
  return float32([rows.length, rows[0].length], Float32Array.from(rows.flat()));
}

function toRows(values: Iterable<number>, columns: number): number[][] {
  const flat = [...values];
  const rows: number[][] = [];
  for (let start = 0; start < flat.length; start += columns) {
    rows.push(flat.slice(start, start + columns));
  }
  return rows;
}
