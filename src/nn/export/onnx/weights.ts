/** Constants of an exported graph that are read only when their turn to be written comes. */

import type { GraphBuilder, OnnxType } from '../../../array/onnx/index.ts';
import { onnxByteLength } from '../../../array/onnx/model.ts';
import { elementCount, type Shape } from '../../../array/tensor.ts';

/** One constant: its bytes are loaded, written and forgotten. */
export interface LazyWeight {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: Shape;
  readonly byteLength: number;
  load(): Promise<Uint8Array>;
}

/** What became of one parameter of the model. */
export interface OnnxTensorReport {
  /** Name of the parameter. */
  readonly name: string;
  readonly operator: 'Gather' | 'MatMul' | 'MatMulNBits' | 'constant';
  /** Bits of a code and inputs per scale, for MatMulNBits. */
  readonly bits: number;
  readonly blockSize: number | null;
  readonly bytes: number;
  /** Why a quantized matrix was written as floats, or in wider codes; empty otherwise. */
  readonly note: string;
}

/** Collects the constants of a graph and what is to be said about them. */
export class WeightList {
  readonly weights: LazyWeight[] = [];
  readonly reports: OnnxTensorReport[] = [];
  readonly #builder: GraphBuilder;

  constructor(builder: GraphBuilder) {
    this.#builder = builder;
  }

  /** Declares a constant and returns its name in the graph. */
  add(
    wished: string,
    type: OnnxType,
    shape: Shape,
    load: () => Promise<Float32Array | Uint8Array>,
  ): string {
    const name = this.#builder.unique(wished);
    this.weights.push({
      name,
      type,
      shape,
      byteLength: onnxByteLength(type, elementCount(shape)),
      load: async () => {
        const data = await load();
        return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      },
    });
    return name;
  }

  /** How many constants there are, to be given to `record` later. */
  get count(): number {
    return this.weights.length;
  }

  /** Reports a parameter whose constants were declared since the list held `before` of them. */
  record(
    name: string,
    operator: OnnxTensorReport['operator'],
    before: number,
    details: Partial<Pick<OnnxTensorReport, 'bits' | 'blockSize' | 'note'>> = {},
  ): void {
    const bytes = this.weights
      .slice(before)
      .reduce((sum, weight) => sum + weight.byteLength, 0);
    this.reports.push({
      name,
      operator,
      bits: 32,
      blockSize: null,
      note: '',
      ...details,
      bytes,
    });
  }
}
