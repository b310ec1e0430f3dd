/** Contract checks on running a method: determinism, cancel, resume, bad input. */

import { expect } from 'vitest';
import { AssayError, CancelledError } from '../../src/error.ts';
import { optionFields } from '../../src/nouns/options.ts';
import { type Progress, runContext } from '../../src/nouns/run.ts';
import {
  countingCheckpoint,
  deepDigest,
  deepFreeze,
  errorOf,
  isUserError,
  runDigest,
  type Subject,
} from './subject.ts';

export const runChecks: Record<string, (subject: Subject) => Promise<void>> = {
  'estimates time and memory without running': async ({ method, sample, options }) => {
    const estimate = method.estimate(sample.input, options);
    expect(estimate.seconds).toBeGreaterThan(0);
    expect(estimate.bytes).toBeGreaterThan(0);
    expect(Number.isFinite(estimate.seconds + estimate.bytes)).toBe(true);
  },
  'gives the same bytes for the same seed': async (subject) => {
    expect(await runDigest(subject)).toBe(subject.digest);
  },
  'gives the same bytes on 1, 2 and 4 threads': async (subject) => {
    for (const threads of [1, 2, 4]) {
      expect(await runDigest(subject, { threads }), `${threads}`).toBe(subject.digest);
    }
  },
  'gives the same bytes when two run at once': async (subject) => {
    const digests = await Promise.all([runDigest(subject), runDigest(subject)]);
    expect(digests).toEqual([subject.digest, subject.digest]);
  },
  'does not change its input': async (subject) => {
    const before = await deepDigest(subject.sample.input);
    await runDigest(subject);
    expect(await deepDigest(subject.sample.input)).toBe(before);
  },
  'accepts a frozen input and frozen options': async (subject) => {
    const sample = await subject.task.sample(0);
    const options = { ...subject.options };
    deepFreeze(sample.input);
    deepFreeze(options);
    expect(await runDigest({ ...subject, sample, options })).toBe(subject.digest);
  },
  'reports progress that only grows and ends complete': async (subject) => {
    const updates: Progress[] = [];
    await runDigest(subject, { progress: (update) => updates.push(update) });
    expect(updates.length).toBeGreaterThan(0);
    for (const [index, update] of updates.entries()) {
      expect(update.done).toBeLessThanOrEqual(update.total);
      expect(update.label).not.toBe('');
      if (index > 0) expect(update.done).toBeGreaterThanOrEqual(updates[index - 1]!.done);
    }
    expect(updates.at(-1)!.done).toBe(updates.at(-1)!.total);
  },
  'does nothing when cancelled before it starts': async (subject) => {
    const checkpoint = countingCheckpoint();
    const error = await errorOf(() =>
      runDigest(subject, { signal: AbortSignal.abort(), checkpoint }),
    );
    expect(error).toBeInstanceOf(CancelledError);
    expect(checkpoint.written).toEqual([]);
  },
  'stops when cancelled half-way': async (subject) => {
    const controller = new AbortController();
    const error = await errorOf(() =>
      runDigest(subject, {
        signal: controller.signal,
        progress: ({ done, total }) => {
          if (done < total) controller.abort();
        },
      }),
    );
    expect(error).toBeInstanceOf(CancelledError);
  },
  'resumes after a stop with the result of an uninterrupted run': async (subject) => {
    const checkpoint = countingCheckpoint();
    const controller = new AbortController();
    let updates = 0;
    await errorOf(() =>
      runDigest(subject, {
        checkpoint,
        signal: controller.signal,
        progress: ({ done, total }) => {
          if (++updates >= 2 && done < total) controller.abort();
        },
      }),
    );
    expect(await runDigest(subject, { checkpoint })).toBe(subject.digest);
  },
  'gives the same result from a complete checkpoint': async (subject) => {
    const checkpoint = countingCheckpoint();
    await runDigest(subject, { checkpoint });
    expect(await runDigest(subject, { checkpoint })).toBe(subject.digest);
  },
  'is not misled by a damaged checkpoint': async (subject) => {
    const garbage = new Uint8Array([1, 2, 3, 4, 5]);
    const checkpoint = { read: async () => garbage, write: async () => {} };
    let digest = '';
    const error = await errorOf(async () => {
      digest = await runDigest(subject, { checkpoint });
    });
    if (error === undefined) expect(digest).toBe(subject.digest);
    else expect(isUserError(error), String(error)).toBe(true);
  },
  'runs again after a failure as if nothing had happened': async (subject) => {
    const spoiled = subject.sample.spoiled[0]!;
    await errorOf(() => subject.method.run(spoiled.input, subject.options, runContext()));
    expect(await runDigest(subject)).toBe(subject.digest);
  },
  'refuses every spoiled input with a message that names the fault': async (subject) => {
    const { method, sample, options } = subject;
    expect(sample.spoiled.length).toBeGreaterThanOrEqual(5);
    for (const { name, input, mentions } of sample.spoiled) {
      const error = await errorOf(() => method.run(input, options, runContext()));
      expect(error, `${name}: ${error}`).toBeInstanceOf(AssayError);
      for (const word of mentions) {
        expect(String(error).toLowerCase(), name).toContain(word.toLowerCase());
      }
    }
  },
  'refuses a spoiled input again when the first try left pieces behind': async (
    subject,
  ) => {
    for (const { input } of subject.sample.spoiled) {
      const checkpoint = countingCheckpoint();
      const context = runContext({ checkpoint });
      await errorOf(() => subject.method.run(input, subject.options, context));
      const error = await errorOf(() =>
        subject.method.run(input, subject.options, context),
      );
      expect(error).toBeInstanceOf(AssayError);
    }
  },
  'does not mistake a full disk for success': async (subject) => {
    const checkpoint = {
      read: async () => undefined,
      write: async () => {
        throw new Error('ENOSPC: no space left on device');
      },
    };
    const writes = countingCheckpoint();
    await runDigest(subject, { checkpoint: writes });
    const error = await errorOf(() => runDigest(subject, { checkpoint }));
    if (writes.written.length > 0) expect(String(error)).toContain('ENOSPC');
    else expect(error).toBeUndefined();
  },
  'runs or refuses clearly for every choice of every option': async (subject) => {
    for (const field of optionFields(subject.method.options)) {
      const choices = field.type === 'boolean' ? [true, false] : (field.choices ?? []);
      for (const choice of choices) {
        const options = subject.method.options.parse({ [field.name]: choice });
        const error = await errorOf(() => runDigest({ ...subject, options }));
        const clear = error === undefined || isUserError(error);
        expect(clear, `${field.name} = ${choice}: ${error}`).toBe(true);
      }
    }
  },
  'runs or refuses clearly at the bounds of every number': async (subject) => {
    for (const field of optionFields(subject.method.options)) {
      if (field.choices) continue;
      for (const bound of [field.minimum, field.maximum]) {
        if (bound === null || Math.abs(bound) > 1e6) continue;
        const parsed = subject.method.options.safeParse({ [field.name]: bound });
        if (!parsed.success) continue;
        const error = await errorOf(() =>
          runDigest({ ...subject, options: parsed.data }),
        );
        const clear = error === undefined || isUserError(error);
        expect(clear, `${field.name} = ${bound}: ${error}`).toBe(true);
      }
    }
  },
};
