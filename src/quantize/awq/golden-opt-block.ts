/** The OPT-shaped block of the golden file: pre-norm attention and a ReLU MLP, on the host. */

import { float32, type Tensor } from '../../array/tensor.ts';
import type { ScaleProblem } from './scale-search.ts';

type Parameters = Readonly<Record<string, Tensor>>;

/** What a block computes on one sample `[tokens, hidden]`, and every linear's input. */
export interface OptBlock {
  readonly parameters: Parameters;
  attention(x: Tensor, parameters: Parameters): { output: Tensor; context: Tensor };
  norm(x: Tensor, name: string): Tensor;
  linear(x: Tensor, name: string, parameters: Parameters): Tensor;
}

export function optBlock(parameters: Parameters): OptBlock {
  const linear = (x: Tensor, name: string, from: Parameters): Tensor =>
    affine(x, from[`${name}.weight`], from[`${name}.bias`]);
  return {
    parameters,
    linear,
    norm: (x, name) =>
      layerNorm(x, parameters[`${name}.weight`], parameters[`${name}.bias`]),
    attention(x, from) {
      const query = linear(x, 'self_attn.q_proj', from);
      const key = linear(x, 'self_attn.k_proj', from);
      const value = linear(x, 'self_attn.v_proj', from);
      const context = attend(query, key, value);
      return { output: linear(context, 'self_attn.out_proj', from), context };
    },
  };
}

/** The four searches of an OPT block over samples, in the official order. */
export function optScaleProblems(block: OptBlock, samples: Tensor[]): ScaleProblem[] {
  const { parameters } = block;
  const forAttention = samples.map((x) => block.norm(x, 'self_attn_layer_norm'));
  const attended = forAttention.map((x) => block.attention(x, parameters));
  const forMlp = samples.map((x, index) =>
    block.norm(add(x, attended[index].output), 'final_layer_norm'),
  );
  const hidden = forMlp.map((x) => relu(block.linear(x, 'fc1', parameters)));
  const problem = (
    names: string[],
    inputs: Tensor[],
    inspect: (x: Tensor, from: Parameters) => Tensor,
  ): ScaleProblem => {
    const reference = inputs.map((x) => inspect(x, parameters));
    return {
      names,
      weights: names.map((name) => parameters[`${name}.weight`]),
      meanMagnitude: meanMagnitude(inputs),
      async loss(weights) {
        const changed = { ...parameters };
        for (const [index, name] of names.entries()) {
          changed[`${name}.weight`] = weights[index];
        }
        let sum = 0;
        let count = 0;
        for (const [index, x] of inputs.entries()) {
          const output = inspect(x, changed).data;
          for (let place = 0; place < output.length; place++) {
            sum += (reference[index].data[place] - output[place]) ** 2;
          }
          count += output.length;
        }
        return sum / count;
      },
    };
  };
  const single = (name: string) => (x: Tensor, from: Parameters) =>
    block.linear(x, name, from);
  const contexts = attended.map((item) => item.context);
  return [
    problem(
      ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
      forAttention,
      (x, from) => block.attention(x, from).output,
    ),
    problem(['self_attn.out_proj'], contexts, single('self_attn.out_proj')),
    problem(['fc1'], forMlp, single('fc1')),
    problem(['fc2'], hidden, single('fc2')),
  ];
}

/** Mean over all rows of |x|, by column. */
function meanMagnitude(inputs: readonly Tensor[]): Float32Array {
  const columns = inputs[0].shape[1];
  const sums = new Float64Array(columns);
  let rows = 0;
  for (const { data, shape } of inputs) {
    for (let index = 0; index < data.length; index++) {
      sums[index % columns] += Math.abs(data[index]);
    }
    rows += shape[0];
  }
  return Float32Array.from(sums, (sum) => sum / rows);
}

function affine(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const [rows, inputs] = x.shape;
  const outputs = weight.shape[0];
  const result = float32([rows, outputs]);
  for (let row = 0; row < rows; row++) {
    for (let output = 0; output < outputs; output++) {
      let sum = bias.data[output];
      for (let index = 0; index < inputs; index++) {
        sum += x.data[row * inputs + index] * weight.data[output * inputs + index];
      }
      result.data[row * outputs + output] = sum;
    }
  }
  return result;
}

function layerNorm(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const [rows, columns] = x.shape;
  const result = float32(x.shape);
  for (let row = 0; row < rows; row++) {
    const values = x.data.subarray(row * columns, (row + 1) * columns);
    const mean = values.reduce((sum, value) => sum + value, 0) / columns;
    const variance =
      values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / columns;
    const deviation = Math.sqrt(variance + 1e-5);
    for (let column = 0; column < columns; column++) {
      const normal = (values[column] - mean) / deviation;
      result.data[row * columns + column] =
        normal * weight.data[column] + bias.data[column];
    }
  }
  return result;
}

/** One head, not causal: `softmax(q k^T / sqrt(d)) v`. */
function attend(query: Tensor, key: Tensor, value: Tensor): Tensor {
  const [tokens, size] = query.shape;
  const result = float32([tokens, size]);
  for (let row = 0; row < tokens; row++) {
    const scores = Array.from({ length: tokens }, (_, other) => {
      let sum = 0;
      for (let index = 0; index < size; index++) {
        sum += query.data[row * size + index] * key.data[other * size + index];
      }
      return sum / Math.sqrt(size);
    });
    const highest = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - highest));
    const total = powers.reduce((sum, power) => sum + power, 0);
    for (let index = 0; index < size; index++) {
      let sum = 0;
      for (let other = 0; other < tokens; other++) {
        sum += (powers[other] / total) * value.data[other * size + index];
      }
      result.data[row * size + index] = sum;
    }
  }
  return result;
}

function add(left: Tensor, right: Tensor): Tensor {
  return float32(
    left.shape,
    left.data.map((value, index) => value + right.data[index]),
  );
}

function relu(x: Tensor): Tensor {
  return float32(
    x.shape,
    x.data.map((value) => Math.max(value, 0)),
  );
}
