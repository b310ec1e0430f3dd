/** Keys and values of past tokens: one growing buffer per layer that a graph reads in place. */

import { float32, type Tensor } from '../../array/tensor.ts';
import { InvalidInputError } from '../../error.ts';
import type { LanguageModelConfig } from '../model.ts';

export interface LayerCache {
  /** `[1, keyValueHeads, capacity, headSize]`, of which the first positions are filled. */
  readonly key: Tensor;
  readonly value: Tensor;
}

/** The cache of a whole model for one sequence. */
export class KeyValueBuffers {
  readonly #config: LanguageModelConfig;
  #layers: LayerCache[];
  #capacity: number;
  #length = 0;

  constructor(config: LanguageModelConfig, capacity = 64) {
    this.#config = config;
    this.#capacity = Math.min(capacity, config.contextLength);
    this.#layers = Array.from({ length: config.layers }, () => this.#empty());
  }

  /** Tokens held. */
  get length(): number {
    return this.#length;
  }

  get layers(): readonly LayerCache[] {
    return this.#layers;
  }

  #empty(): LayerCache {
    const { keyValueHeads, headSize } = this.#config;
    const shape = [1, keyValueHeads, this.#capacity, headSize];
    return { key: float32(shape), value: float32(shape) };
  }

  /** Makes room for so many further tokens, doubling so that growing stays cheap. */
  reserve(count: number): void {
    const needed = this.#length + count;
    const { contextLength } = this.#config;
    if (needed > contextLength) {
      const received = `${needed} tokens`;
      throw new InvalidInputError('ids', `at most ${contextLength} in all`, received);
    }
    if (needed <= this.#capacity) return;
    const before = this.#layers;
    const old = this.#capacity;
    this.#capacity = Math.min(contextLength, Math.max(needed, 2 * old));
    this.#layers = before.map((layer) => {
      const grown = this.#empty();
      this.#copy(layer.key, old, grown.key, 0, this.#length);
      this.#copy(layer.value, old, grown.value, 0, this.#length);
      return grown;
    });
  }

  /** Puts the keys and values of new tokens, `[1, keyValueHeads, count, headSize]`, behind the last. */
  append(count: number, added: readonly LayerCache[]): void {
    this.#layers.forEach((layer, index) => {
      this.#copy(added[index]!.key, count, layer.key, this.#length, count);
      this.#copy(added[index]!.value, count, layer.value, this.#length, count);
    });
    this.#length += count;
  }

  /** Forgets all tokens but the first `length`. */
  truncate(length: number): void {
    this.#length = Math.min(length, this.#length);
  }

  #copy(
    source: Tensor,
    sourceSlots: number,
    target: Tensor,
    first: number,
    count: number,
  ): void {
    const { keyValueHeads, headSize } = this.#config;
    for (let head = 0; head < keyValueHeads; head++) {
      const from = head * sourceSlots * headSize;
      const to = (head * this.#capacity + first) * headSize;
      target.data.set(source.data.subarray(from, from + count * headSize), to);
    }
  }
}
