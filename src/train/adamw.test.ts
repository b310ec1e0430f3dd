/** AdamW, clipping, schedule, batches and the state file against closed forms. */

import { describe, expect, it } from 'vitest';
import { float32 } from '../array/tensor.ts';
import { adamWState, adamWStep, clippingScale, globalNorm } from './adamw.ts';
import { learningRateAt } from './schedule.ts';
import { decodeState, encodeState } from './state-file.ts';
import { packTokens, tokenBatches } from './token-batches.ts';

const options = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.5 };

describe('adamWStep', () => {
  it('moves by the rate against the sign at first, and decays only where it should', () => {
    const parameters = {
      weight: float32([2], Float32Array.of(1, -2)),
      norm: float32([2], Float32Array.of(1, -2)),
    };
    const gradients = {
      weight: float32([2], Float32Array.of(3, -0.01)),
      norm: float32([2], Float32Array.of(3, -0.01)),
    };
    const state = adamWState(parameters);
    adamWStep(parameters, gradients, state, 0.1, options, new Set(['weight']));
    expect(parameters.norm.data[0]).toBeCloseTo(0.9, 5);
    expect(parameters.norm.data[1]).toBeCloseTo(-1.9, 5);
    expect(parameters.weight.data[0]).toBeCloseTo(1 - 0.1 * 0.5 * 1 - 0.1, 5);
    expect(parameters.weight.data[1]).toBeCloseTo(-2 + 0.1 * 0.5 * 2 + 0.1, 5);
    expect(state.step).toBe(1);
  });

  it('follows the recurrence over several steps', () => {
    const parameters = { p: float32([1], Float32Array.of(0.5)) };
    const state = adamWState(parameters);
    let [value, mean, square] = [0.5, 0, 0];
    for (let step = 1; step <= 5; step++) {
      const slope = Math.sin(step);
      const gradient = { p: float32([1], Float32Array.of(2 * slope)) };
      adamWStep(parameters, gradient, state, 0.01, options, new Set(), 0.5);
      mean = 0.9 * mean + 0.1 * slope;
      square = 0.99 * square + 0.01 * slope * slope;
      value -=
        (0.01 * (mean / (1 - 0.9 ** step))) /
        (Math.sqrt(square / (1 - 0.99 ** step)) + 1e-8);
    }
    expect(parameters.p.data[0]).toBeCloseTo(value, 6);
  });

  it('refuses a gradient of another size', () => {
    const parameters = { p: float32([2]) };
    const state = adamWState(parameters);
    const wrong = { p: float32([3]) };
    expect(() => adamWStep(parameters, wrong, state, 0.1, options, new Set())).toThrow(
      /gradient of p: expected 2 numbers, got 3/,
    );
  });
});

describe('clipping', () => {
  it('scales a gradient that is too long onto the limit and leaves a short one', () => {
    const gradients = {
      a: float32([1], Float32Array.of(3)),
      b: float32([1], Float32Array.of(4)),
    };
    expect(globalNorm(gradients)).toBe(5);
    expect(clippingScale(5, 1)).toBe(0.2);
    expect(clippingScale(0.5, 1)).toBe(1);
  });
});

describe('learningRateAt', () => {
  const schedule = { peak: 2, warmup: 4, steps: 24, decay: 0, floor: 0.1 };
  it('warms up linearly and ends at the floor', () => {
    const rates = [0, 1, 3, 4].map((step) => learningRateAt(schedule, step));
    expect(rates).toEqual([0.5, 1, 2, 2]);
    expect(learningRateAt(schedule, 14)).toBeCloseTo(1.1, 12);
    expect(learningRateAt(schedule, 24)).toBeCloseTo(0.2, 12);
  });

  it('stays at the peak until the decay begins', () => {
    const late = { ...schedule, decay: 10 };
    expect([4, 9, 14].map((step) => learningRateAt(late, step))).toEqual([2, 2, 2]);
    expect(learningRateAt(late, 19)).toBeCloseTo(1.1, 12);
    expect(learningRateAt(late, 24)).toBeCloseTo(0.2, 12);
  });
});

describe('token batches', () => {
  it('packs documents with a separator behind each', () => {
    expect([...packTokens([[1, 2], [], [3]], 9)]).toEqual([1, 2, 9, 9, 3, 9]);
    expect([...packTokens([[1, 2], [3]], null)]).toEqual([1, 2, 3]);
  });

  it('shows targets one later, each piece once an epoch, in a seeded order', () => {
    const stream = Int32Array.from({ length: 101 }, (_, index) => index);
    const batchOf = tokenBatches(stream, 3, 10, 5);
    const seen: number[] = [];
    for (let step = 0; step < 3; step++) {
      const { inputs, targets } = batchOf(step);
      expect([...targets.data]).toEqual([...inputs.data].map((token) => token + 1));
      seen.push(...inputs.data);
    }
    expect(new Set(seen).size).toBe(90);
    const again = tokenBatches(stream, 3, 10, 5);
    expect(again(7)).toEqual(batchOf(7));
    expect(again(0).inputs.data).toEqual(Int32Array.from(seen.slice(0, 30)));
    expect(tokenBatches(stream, 3, 10, 6)(0)).not.toEqual(again(0));
  });
});

describe('the state file', () => {
  it('gives back the same bits and refuses a damaged one', () => {
    const parameters = {
      'a.weight': float32([2, 2], Float32Array.of(0.1, -0, 3e-40, 5)),
    };
    const optimizer = adamWState(parameters);
    optimizer.step = 12;
    optimizer.mean['a.weight']!.data[1] = 0.3;
    const record = { identity: 'x', history: [{ step: 1, loss: 0.1 }] };
    const bytes = encodeState({ parameters, optimizer, record });
    expect(decodeState(bytes)).toEqual({ parameters, optimizer, record });
    expect(() => decodeState(bytes.subarray(0, bytes.length - 1))).toThrow(/truncated/);
    expect(() => decodeState(bytes.subarray(0, 3))).toThrow(/header length/);
  });
});
