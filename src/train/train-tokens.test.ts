/** Training: gradients against finite differences, learning, resuming to the same bits, cancelling. */

import { describe, expect, it } from 'vitest';
import { compile } from '../array/compile.ts';
import { grad } from '../array/jax.ts';
import { createRandom } from '../array/random.ts';
import { int32 } from '../array/tensor.ts';
import { CancelledError } from '../error.ts';
import type { TracedRecord } from '../nn/decoder/block.ts';
import type { Traced } from '../nn/decoder/functions.ts';
import { loss } from '../nn/decoder/model.ts';
import { sequenceSurroundings } from '../nn/decoder/positions.ts';
import { plainLogits } from '../nn/plain-forward.ts';
import { memoryCheckpoint, runContext } from '../nouns/run.ts';
import { initialParameters } from './initial-parameters.ts';
import { configurationOf, trainingOptions } from './options.ts';
import { trainTokens } from './train-tokens.ts';

const options = trainingOptions.parse({
  layers: 1,
  hidden: 16,
  heads: 4,
  kvHeads: 2,
  intermediate: 24,
  context: 12,
  batch: 4,
  steps: 60,
  warmup: 5,
  learningRate: 0.02,
  evaluateEvery: 20,
  evaluateBatches: 2,
  checkpointEvery: 25,
});
const vocabularySize = 7;
const config = configurationOf(options, vocabularySize, null);

/** A cycle of tokens with a random one now and then: far below its unigram entropy. */
function stream(length: number, seed: number): Int32Array {
  const random = createRandom(seed);
  let token = 0;
  return Int32Array.from({ length }, () => {
    token = random.uniform() < 0.1 ? random.integer(vocabularySize) : (token + 1) % 7;
    return token;
  });
}

function unigramEntropy(tokens: Int32Array): number {
  const counts = new Map<number, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  return -[...counts.values()].reduce((sum, count) => {
    const share = count / tokens.length;
    return sum + share * Math.log(share);
  }, 0);
}

describe('the gradient of the loss', () => {
  it('agrees with central differences of a float64 forward pass', async () => {
    const parameters = initialParameters(config, 3);
    const inputs = int32([1, 5], Int32Array.of(0, 3, 1, 6, 2));
    const targets = int32([1, 5], Int32Array.of(3, 1, 6, 2, 2));
    const gradientOf = grad(
      (values: TracedRecord, ids: Traced, wanted: Traced, around: TracedRecord) =>
        loss(config, values, ids, wanted, around),
    ) as unknown as (
      values: TracedRecord,
      ids: Traced,
      wanted: Traced,
      around: TracedRecord,
    ) => TracedRecord;
    const around = sequenceSurroundings(config, 5);
    const gradients = await compile(gradientOf)(parameters, inputs, targets, around);
    const values: Record<string, Float64Array> = {};
    for (const [name, { data }] of Object.entries(parameters)) {
      values[name] = Float64Array.from(data);
    }
    const lossAt = (): number => {
      const logits = plainLogits(config, values, [...inputs.data]);
      return (
        logits.reduce((sum, row, position) => {
          const most = Math.max(...row);
          const total = row.reduce((all, logit) => all + Math.exp(logit - most), 0);
          return sum + most + Math.log(total) - row[targets.data[position]!]!;
        }, 0) / logits.length
      );
    };
    const random = createRandom(11);
    for (const [name, numbers] of Object.entries(values)) {
      for (let probe = 0; probe < 4; probe++) {
        const index = random.integer(numbers.length);
        const original = numbers[index]!;
        numbers[index] = original + 1e-5;
        const above = lossAt();
        numbers[index] = original - 1e-5;
        const below = lossAt();
        numbers[index] = original;
        const slope = (above - below) / 2e-5;
        expect(gradients[name]!.data[index], `${name}[${index}]`).toBeCloseTo(slope, 5);
      }
    }
  });
});

describe('trainTokens', () => {
  const training = stream(600, 1);
  const heldOut = stream(200, 2);

  it('learns: the held-out loss falls below the unigram entropy', async () => {
    const losses: number[] = [];
    const { history } = await trainTokens(
      config,
      training,
      heldOut,
      options,
      runContext({ progress: ({ metrics }) => losses.push(metrics!.loss!) }),
    );
    expect(losses).toHaveLength(60);
    expect(losses[0]).toBeCloseTo(Math.log(vocabularySize), 0);
    expect(history.map(({ step }) => step)).toEqual([20, 40, 60]);
    expect(history.at(-1)!.heldOutLoss).toBeLessThan(unigramEntropy(heldOut) - 0.3);
  });

  it('resumes after a cancellation to the same bits as an uninterrupted run', async () => {
    const whole = await trainTokens(config, training, heldOut, options, runContext());
    const checkpoint = memoryCheckpoint();
    for (const stopAt of [13, 40]) {
      const controller = new AbortController();
      const stopped = trainTokens(
        config,
        training,
        heldOut,
        options,
        runContext({
          checkpoint,
          signal: controller.signal,
          progress: ({ done }) => {
            if (done === stopAt) controller.abort();
          },
        }),
      );
      await expect(stopped).rejects.toThrow(CancelledError);
    }
    let first = 0;
    const resumed = await trainTokens(
      config,
      training,
      heldOut,
      options,
      runContext({
        checkpoint,
        progress: ({ done }) => {
          first ||= done;
        },
      }),
    );
    expect(first).toBe(41);
    expect(resumed).toEqual(whole);
  });

  it('with a decay can be cut short while the rate is at its peak', async () => {
    const late = { ...options, decay: 20 };
    const checkpoint = memoryCheckpoint();
    const stopped = (done: number) => {
      const controller = new AbortController();
      const progress = (update: { done: number }) => {
        if (update.done === done) controller.abort();
      };
      return runContext({ checkpoint, signal: controller.signal, progress });
    };
    const long = trainTokens(config, training, null, late, stopped(15));
    await expect(long).rejects.toThrow(CancelledError);
    const short = { ...late, steps: 35 };
    const steps: number[] = [];
    const cut = await trainTokens(
      config,
      training,
      null,
      short,
      runContext({ checkpoint, progress: ({ done }) => steps.push(done) }),
    );
    expect(steps[0]).toBe(16);
    expect(cut).toEqual(await trainTokens(config, training, null, short, runContext()));
    // Its decay has begun: a run of other steps starts anew.
    const again: number[] = [];
    const context = runContext({ checkpoint, progress: ({ done }) => again.push(done) });
    await trainTokens(config, training, null, { ...late, steps: 40 }, context);
    expect(again[0]).toBe(1);
  });

  it('takes up no checkpoint of another run, and another seed gives another model', async () => {
    const checkpoint = memoryCheckpoint();
    const short = { ...options, steps: 10 };
    const one = await trainTokens(
      config,
      training,
      null,
      short,
      runContext({ checkpoint, seed: 1 }),
    );
    const two = await trainTokens(
      config,
      training,
      null,
      short,
      runContext({ checkpoint, seed: 2 }),
    );
    expect(two.parameters).not.toEqual(one.parameters);
    expect(two.history[0]!.step).toBe(10);
    expect(two.history[0]!.heldOutLoss).toBeNull();
  });

  it('refuses a stream that is too short, foreign ids and a rate that diverges', async () => {
    const run = (tokens: Int32Array, changed = {}) =>
      trainTokens(config, tokens, null, { ...options, ...changed }, runContext());
    await expect(run(training.subarray(0, 5))).rejects.toThrow(/at least 13 tokens/);
    await expect(run(Int32Array.of(1, 2, 9))).rejects.toThrow(/0 to 6.*9 at 2/);
    await expect(run(training, { learningRate: 1e30, warmup: 0 })).rejects.toThrow(
      /learningRate.*not finite/,
    );
  });
});
