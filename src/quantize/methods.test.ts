/** What the methods of this room give beyond the general contract, on the task's sample. */

import { describe, expect, it } from 'vitest';
import { parseOptions } from '../nouns/options.ts';
import { runContext } from '../nouns/run.ts';
import { methods, task } from './index.ts';

const sample = await task.sample(1);

describe.each(methods.map((method) => [method.name, method] as const))(
  '%s',
  (_, method) => {
    const options = parseOptions(method.options, {});

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
