/** Maps the golden cases of awq to this implementation. */

import { grid } from '../../array/quantizer/grid.ts';
import { dequantizeMatrix, quantizeMatrix } from '../../array/quantizer/matrix.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import { InvalidInputError } from '../../error.ts';
import { hostGroupErrors, searchClips } from './clip-search.ts';
import { optBlock, optScaleProblems } from './golden-opt-block.ts';
import { searchScales } from './scale-search.ts';

type Rows = readonly (readonly number[])[];

/** Output of the case `name` for `inputs`, in the form of its expected values. */
export async function golden(name: string, inputs: unknown): Promise<unknown> {
  const found = Object.keys(cases).find((stem) => name.startsWith(stem));
  if (!found) throw new InvalidInputError('name', Object.keys(cases).join(', '), name);
  return cases[found as keyof typeof cases](inputs as never);
}

const cases = {
  quantize: async (inputs: { w: Rows; n_bit: number; group: number }) => {
    const chosen = grid({ bits: inputs.n_bit, scales: 'float32' });
    const matrix = quantizeMatrix(tensor(inputs.w), chosen, inputs.group);
    const columns = inputs.w[0].length;
    const groups = columns / matrix.groupSize;
    return {
      w_q: toRows(dequantizeMatrix(matrix).data, columns),
      scales: toRows(matrix.scales, groups),
      zeros: toRows(matrix.zeros, groups),
    };
  },

  auto_scale_opt_block: async (inputs: {
    params: Record<string, readonly number[] | Rows>;
    x: readonly Rows[];
    n_bit: number;
    group: number;
  }) => {
    const parameters: Record<string, Tensor> = {};
    for (const [name, values] of Object.entries(inputs.params)) {
      const flat = Float32Array.from(values.flat());
      const rows = values.length;
      parameters[name] = float32(
        flat.length === rows ? [rows] : [rows, flat.length / rows],
        flat,
      );
    }
    const block = optBlock(parameters);
    const samples = inputs.x.map(tensor);
    const scales: Record<string, number[]> = {};
    const chosen = grid({ bits: inputs.n_bit, scales: 'float32' });
    for (const problem of optScaleProblems(block, samples)) {
      const choice = await searchScales(problem, chosen, inputs.group, 20);
      scales[problem.names.join('|')] = [...choice.scales];
    }
    return { scales };
  },

  auto_clip: async (inputs: {
    w: Rows;
    x: Rows;
    n_bit: number;
    group: number;
    n_grid: number;
    max_shrink: number;
  }) => {
    const limits = await searchClips(
      tensor(inputs.w),
      inputs.group,
      grid({ bits: inputs.n_bit, scales: 'float32' }),
      { gridPoints: inputs.n_grid, maxShrink: inputs.max_shrink, sampleTokens: 512 },
      hostGroupErrors(tensor(inputs.x), inputs.group),
    );
    return { max_val: toRows(limits, inputs.w[0].length / inputs.group) };
  },
};

function tensor(rows: Rows): Tensor {
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
