/** What every method of this room owes its user, on the task's sample. */

import { describe, expect, it } from 'vitest';
import { CancelledError } from '../error.ts';
import { parseOptions } from '../nouns/options.ts';
import { memoryCheckpoint, type Progress, runContext } from '../nouns/run.ts';
import { methods, task } from './index.ts';

const sample = await task.sample(1);

describe.each(methods.map((method) => [method.name, method] as const))(
  '%s',
  (_, method) => {
    const options = parseOptions(method.options, {});

    it('gives the same output for the same seed, on 1, 2 and 4 threads', async () => {
      const digests = [];
      for (const threads of [1, 2, 4, 2]) {
        const output = await method.run(sample.input, options, runContext({ threads }));
        digests.push(task.digest(output));
      }
      expect(new Set(digests).size).toBe(1);
    });

    it('leaves its input as it was', async () => {
      const { model, calibrationTokens } = sample.input;
      const before = [];
      for (const name of model.parameters.names) {
        before.push((await model.parameters.read(name)).data.slice());
      }
      const tokens = calibrationTokens.data.slice();
      await method.run(sample.input, options, runContext());
      for (const [index, name] of model.parameters.names.entries()) {
        expect((await model.parameters.read(name)).data).toEqual(before[index]);
      }
      expect(calibrationTokens.data).toEqual(tokens);
    });

    it.each(sample.spoiled)('refuses $name', async ({ input, mentions }) => {
      const failure = await method.run(input, options, runContext()).then(
        () => null,
        (error: Error) => error,
      );
      for (const words of mentions) expect(failure?.message).toContain(words);
    });

    it('stops when cancelled, and a later run takes up where it was', async () => {
      const whole = task.digest(await method.run(sample.input, options, runContext()));
      const checkpoint = memoryCheckpoint();
      const controller = new AbortController();
      let seen = 0;
      const stopping = runContext({
        checkpoint,
        signal: controller.signal,
        progress: () => {
          seen += 1;
          if (seen === 2) controller.abort();
        },
      });
      const stopped = method.run(sample.input, options, stopping);
      await expect(stopped).rejects.toBeInstanceOf(CancelledError);
      const resumed = await method.run(sample.input, options, runContext({ checkpoint }));
      expect(task.digest(resumed)).toBe(whole);
    });

    it('reports progress that only grows and ends complete', async () => {
      const updates: Progress[] = [];
      const context = runContext({ progress: (update) => updates.push(update) });
      await method.run(sample.input, options, context);
      expect(updates.at(-1)!.done).toBe(updates.at(-1)!.total);
      expect(updates.length).toBeGreaterThan(2);
    });

    it('estimates before it runs, and refuses there as well', () => {
      const { seconds, bytes } = method.estimate(sample.input, options);
      expect(seconds).toBeGreaterThan(0);
      expect(bytes).toBeGreaterThan(0);
      const empty = sample.spoiled.find(({ name }) => name === 'no calibration text')!;
      expect(() => method.estimate(empty.input, options)).toThrow('calibrationTokens');
    });

    it('gives a model whose every number is finite and whose floats are float16', async () => {
      const output = await method.run(sample.input, options, runContext());
      for (const { scales, codes, bits } of Object.values(output.matrices) as {
        scales: Float32Array;
        codes: Uint8Array;
        bits: number;
      }[]) {
        for (const scale of scales) expect(Math.f16round(scale)).toBe(scale);
        expect(codes.every((code) => code < 2 ** bits)).toBe(true);
      }
      for (const { data } of Object.values(output.floats) as { data: Float32Array }[]) {
        expect(data.every((value) => Math.f16round(value) === value)).toBe(true);
      }
    });
  },
);

it('measures every metric of the reference and of each method', async () => {
  const names = task.metrics.map((metric) => metric.name).sort();
  const reference = await task.evaluate(sample.input, undefined, runContext());
  expect(Object.keys(reference).sort()).toEqual(names);
  for (const method of methods) {
    const options = parseOptions(method.options, {});
    const output = await method.run(sample.input, options, runContext());
    const measured = await task.evaluate(sample.input, output, runContext());
    expect(Object.keys(measured).sort()).toEqual(names);
    expect(Object.values(measured).every(Number.isFinite)).toBe(true);
    expect(measured.size).toBeLessThan(reference.size);
  }
});

it('offers candidates that all run on the sample', async () => {
  const candidates = task.candidates(sample.input);
  expect(candidates.length).toBe(7);
  for (const { method, options } of candidates) {
    const found = methods.find(({ name }) => name === method)!;
    const output = await found.run(
      sample.input,
      parseOptions(found.options, options),
      runContext(),
    );
    expect(output.method).toBe(method);
  }
});
