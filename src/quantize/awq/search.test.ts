/** AWQ's searches against their definitions and against plain host computations. */

import { describe, expect, it } from 'vitest';
import { grid } from '../../array/quantizer/grid.ts';
import { roundTrip } from '../../array/quantizer/matrix.ts';
import { createRandom } from '../../array/random.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import { sampleConfiguration } from '../../nn/sample-models.ts';
import {
  clampGroups,
  clipRatios,
  hostGroupErrors,
  isClippable,
  sampleRows,
  searchClips,
} from './clip-search.ts';
import { inspectorFor } from './inspect.ts';
import { alphaGrid, scaledRoundTrip, scalesFor, searchScales } from './scale-search.ts';

const random = createRandom(8);
const normal = (rows: number, columns: number): Tensor =>
  float32([rows, columns], new Float32Array(rows * columns).map(random.normal));
const three = grid({ bits: 3, scales: 'float32' });

/** Mean squared output change of a linear layer, computed plainly. */
function linearLoss(x: Tensor, weight: Tensor, changed: Tensor): number {
  const [tokens, inputs] = x.shape;
  const outputs = weight.shape[0];
  let sum = 0;
  for (let token = 0; token < tokens; token++) {
    for (let output = 0; output < outputs; output++) {
      let difference = 0;
      for (let index = 0; index < inputs; index++) {
        const place = output * inputs + index;
        difference +=
          x.data[token * inputs + index] * (changed.data[place] - weight.data[place]);
      }
      sum += difference ** 2;
    }
  }
  return sum / (tokens * outputs);
}

describe('scales', () => {
  const magnitude = new Float32Array(16).map(() => Math.abs(random.normal()) + 0.01);

  it('are tried at exactly 20 exponents from 0 to 0.95', () => {
    const alphas = alphaGrid(20);
    expect(alphas.length).toBe(20);
    expect(alphas[0]).toBe(0);
    expect(alphas[19]).toBe(0.95);
  });

  it('have max times min 1, and are all 1 at exponent 0', () => {
    for (const alpha of alphaGrid(20)) {
      const scales = scalesFor(magnitude, alpha);
      const product = Math.max(...scales) * Math.min(...scales);
      expect(Math.abs(product - 1)).toBeLessThan(1e-6);
    }
    expect([...scalesFor(magnitude, 0)]).toEqual(Array(16).fill(1));
  });

  it('do not change when x is multiplied by a positive number', () => {
    for (const factor of [0.1, 3, 50]) {
      for (const alpha of alphaGrid(20)) {
        const scales = scalesFor(magnitude, alpha);
        const other = scalesFor(
          magnitude.map((value) => value * factor),
          alpha,
        );
        for (const [index, value] of other.entries()) {
          expect(Math.abs(value / scales[index] - 1)).toBeLessThan(1e-5);
        }
      }
    }
  });

  it('stay finite for channels that are always 0', () => {
    const dead = magnitude.slice();
    dead[3] = 0;
    for (const alpha of alphaGrid(20)) {
      expect(scalesFor(dead, alpha).every((value) => value > 0 && value < 1e4)).toBe(
        true,
      );
    }
    expect(scalesFor(new Float32Array(4), 0.5)).toEqual(new Float32Array(4).fill(1));
  });

  it('are chosen with a loss not above plain rounding’s, the first of equal ones', async () => {
    const weight = normal(8, 16);
    const x = normal(40, 16);
    for (let row = 0; row < 40; row++) x.data[row * 16 + 5] *= 40;
    const choice = await searchScales(
      {
        names: ['layer'],
        weights: [weight],
        meanMagnitude: Float32Array.from({ length: 16 }, (_, column) => {
          let sum = 0;
          for (let row = 0; row < 40; row++) sum += Math.abs(x.data[row * 16 + column]);
          return sum / 40;
        }),
        loss: async ([changed]) => linearLoss(x, weight, changed),
      },
      three,
      8,
      20,
    );
    const plain = float32(weight.shape, roundTrip(weight.data, 8, three));
    expect(choice.losses.length).toBe(20);
    expect(choice.losses[0]).toBe(linearLoss(x, weight, plain));
    expect(Math.min(...choice.losses)).toBeLessThan(choice.losses[0] * 0.5);
    expect(choice.losses[Math.round(choice.alpha * 20)]).toBe(Math.min(...choice.losses));
    const constant = await searchScales(
      {
        names: ['layer'],
        weights: [weight],
        meanMagnitude: new Float32Array(16).fill(1),
        loss: async () => 1,
      },
      three,
      8,
      20,
    );
    expect(constant.alpha).toBe(0);
  });

  it('refuse when no loss is finite, naming the layer', async () => {
    const search = searchScales(
      {
        names: ['blocks.0.q_proj'],
        weights: [normal(2, 4)],
        meanMagnitude: new Float32Array(4).fill(1),
        loss: async () => Number.NaN,
      },
      three,
      4,
      20,
    );
    await expect(search).rejects.toThrow('blocks.0.q_proj');
  });

  it('protect a salient column: its error falls by about the scale', () => {
    const weight = normal(64, 32);
    const error = (factor: number): number => {
      const scales = new Float32Array(32).fill(1);
      scales[7] = factor;
      const rounded = scaledRoundTrip(weight, scales, three, 32).data;
      let sum = 0;
      for (let row = 0; row < 64; row++) {
        sum += (rounded[row * 32 + 7] - weight.data[row * 32 + 7]) ** 2;
      }
      return Math.sqrt(sum);
    };
    expect(error(2) / error(1)).toBeGreaterThan(0.35);
    expect(error(2) / error(1)).toBeLessThan(0.75);
  });
});

describe('clips', () => {
  const options = { gridPoints: 20, maxShrink: 0.5, sampleTokens: 512 };

  it('are tried at ten ratios from 1 to 0.55', () => {
    const ratios = clipRatios(options);
    expect(ratios.length).toBe(10);
    expect(ratios[0]).toBe(1);
    expect(ratios[9]).toBeCloseTo(0.55, 12);
  });

  it('leave weights bit for bit alone where the best ratio is 1', async () => {
    // With as many codes as values nothing is gained by cutting.
    const weight = float32([1, 4], Float32Array.of(-7, 0, 3, 8));
    const eight = grid({ bits: 8, scales: 'float32' });
    const limits = await searchClips(
      weight,
      4,
      eight,
      options,
      hostGroupErrors(normal(30, 4), 4),
    );
    expect([...limits]).toEqual([8]);
    expect(clampGroups(weight.data, limits, 4)).toEqual(weight.data);
  });

  it('never raise a group’s error on the tokens they were searched with', async () => {
    const weight = normal(12, 32);
    const errors = hostGroupErrors(normal(50, 32), 8);
    const limits = await searchClips(weight, 8, three, options, errors);
    const change = (from: Float32Array) =>
      roundTrip(from, 8, three).map((value, index) => value - weight.data[index]);
    const cut = await errors(change(clampGroups(weight.data, limits, 8)));
    const plain = await errors(change(weight.data));
    for (const [group, value] of cut.entries()) {
      expect(value).toBeLessThanOrEqual(plain[group]);
    }
    // Three bits on normal weights: some groups are better off without their extremes.
    const whole = clampGroups(weight.data, limits, 8);
    expect(whole).not.toEqual(weight.data);
  });

  it('skip queries and keys', () => {
    expect(isClippable('self_attn.q_proj')).toBe(false);
    expect(isClippable('self_attn.k_proj')).toBe(false);
    expect(isClippable('attn.Wqkv')).toBe(false);
    expect(isClippable('mlp.up_proj')).toBe(true);
  });

  it('look at every row of a short text and at every n-th of a long one', () => {
    expect(sampleRows(normal(100, 2), 512).shape).toEqual([100, 2]);
    const long = normal(1100, 2);
    const kept = sampleRows(long, 512);
    expect(kept.shape).toEqual([550, 2]);
    expect([...kept.data.subarray(2, 4)]).toEqual([...long.data.subarray(4, 6)]);
  });

  it('measure errors compiled as on the host and as the definition says', async () => {
    const x = normal(70, 16);
    const inspector = inspectorFor(sampleConfiguration('llama'), 1);
    for (const rows of [5, 64, 300]) {
      const difference = normal(rows, 16).data;
      const compiled = await inspector.groupErrors(x, 8)(difference);
      const host = await hostGroupErrors(x, 8)(difference);
      let sum = 0;
      for (let token = 0; token < 70; token++) {
        let partial = 0;
        for (let index = 8; index < 16; index++) {
          partial += x.data[token * 16 + index] * difference[3 * 16 + index];
        }
        sum += partial ** 2;
      }
      expect(compiled[3 * 2 + 1]).toBeCloseTo(sum / 70, 4);
      for (const [group, value] of compiled.entries()) {
        expect(Math.abs(value - host[group])).toBeLessThan(1e-4 * host[group] + 1e-6);
      }
    }
  });
});
