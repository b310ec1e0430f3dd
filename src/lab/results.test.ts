/** Tests of stored results, checkpoints and the work that fills them. */

import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { registry } from '../../test/rooms/guess.ts';
import { temporaryHome } from '../../test/rooms/home.ts';
import { sha256 } from '../format/hash.ts';
import type { Progress } from '../nouns/run.ts';
import { openCheckpoint, sweepCheckpoints } from './checkpoint.ts';
import { execute } from './execute.ts';
import type { Work } from './job.ts';
import { openResultIndex } from './result-index.ts';
import { readResult, scanResults } from './results.ts';

function execution(home: string, work: Work, signal = new AbortController().signal) {
  return {
    registry,
    home,
    job: '11111111-1111-4111-8111-111111111111',
    work,
    threads: 1,
    signal,
    keepCheckpoint: true,
    progress: (_: Progress) => {},
    row: () => {},
  };
}

const comparison: Work = {
  kind: 'comparison',
  request: { task: 'guess', inputs: { text: 'abc' }, seed: 3 },
};

describe('stored results', () => {
  it('are named by their content and say where they come from', async () => {
    const home = await temporaryHome();
    const { result } = await execute(execution(home, comparison));
    const bytes = await readFile(join(home, 'results', `${result}.json`));
    expect(sha256(bytes)).toBe(result);
    const stored = await readResult(home, result);
    expect(stored).toMatchObject({ id: result, kind: 'comparison', seed: 3 });
    expect(stored.hashes).toEqual({ text: sha256('abc') });
    expect(stored.versions.node).toBe(process.versions.node);
    expect(stored.versions.onnxruntime).toMatch(/^\d+\.\d+/);
    expect(stored.versions['jax-js']).toMatch(/^\d+\.\d+/);
    expect(stored.machine.cores).toBeGreaterThan(0);
  });

  it('skip damaged files in the index and refuse to read them', async () => {
    const home = await temporaryHome();
    const { result: good } = await execute(execution(home, comparison));
    const claim: Work = { kind: 'claim', request: { paper: 'shift-paper' } };
    const { result: bad } = await execute(execution(home, claim));
    await truncate(join(home, 'results', `${bad}.json`), 100);
    await writeFile(join(home, 'results', 'notes.json'), 'not ours');
    const { entries, damaged } = await scanResults(home);
    expect(entries.map((entry) => entry.id)).toEqual([good]);
    expect(damaged).toHaveLength(1);
    await expect(readResult(home, bad)).rejects.toMatchObject({ code: 'invalid-file' });
    await expect(readResult(home, '0'.repeat(64))).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(readResult(home, '../../etc/passwd')).rejects.toMatchObject({
      code: 'not-found',
    });
  });

  it('are not made twice when a crash came between storing and noting', async () => {
    const home = await temporaryHome();
    const first = await execute(execution(home, comparison));
    const second = await execute(execution(home, comparison));
    expect(second).toEqual(first);
    const other = await execute({ ...execution(home, comparison), job: 'another' });
    expect(other.result).not.toBe(first.result);
    await openCheckpoint(home, first.checkpoint).clear();
    const third = await execute(execution(home, comparison));
    expect(third.checkpoint).toBe(first.checkpoint);
    expect(third.result).not.toBe(first.result);
    await execute({ ...execution(home, comparison), job: 'last', keepCheckpoint: false });
    expect(await readdir(join(home, 'work'))).toEqual([]);
  });

  it('change their fingerprint with the content of an input, not with its path', async () => {
    const home = await temporaryHome();
    const work = (text: string): Work => ({
      kind: 'comparison',
      request: { task: 'guess', inputs: { text } },
    });
    const [left, right, other] = ['left', 'right', 'other'].map((name) =>
      join(home, name),
    ) as [string, string, string];
    await writeFile(left, 'same');
    await writeFile(right, 'same');
    await writeFile(other, 'different');
    const run = async (path: string) => {
      const { checkpoint } = await execute(execution(home, work(path)));
      await openCheckpoint(home, checkpoint).clear();
      return checkpoint;
    };
    expect(await run(left)).toBe(await run(right));
    expect(await run(left)).not.toBe(await run(other));
  });

  it('hold an artifact with the hash of every file and a recipe', async () => {
    const home = await temporaryHome();
    const request = {
      task: 'guess',
      inputs: { text: 'abc' },
      method: 'shift',
      options: { by: 2 },
      formats: ['text', 'json'],
    };
    const { result } = await execute(execution(home, { kind: 'artifact', request }));
    const stored = await readResult(home, result);
    if (stored.kind !== 'artifact') throw new Error('expected an artifact');
    const { files, recipe, directory } = stored.result;
    expect(files.map((file) => file.name)).toEqual([
      'guess.txt',
      'guess.json',
      'recipe.json',
    ]);
    const bytes = await readFile(join(home, 'artifacts', directory, 'guess.txt'));
    expect(bytes.toString()).toBe('cde');
    expect(files[0]).toEqual({ name: 'guess.txt', bytes: 3, sha256: sha256(bytes) });
    expect(recipe).toMatchObject({ method: 'shift', options: { by: 2 }, seed: 0 });
    const wrong = { ...request, formats: ['zip'] };
    await expect(
      execute(execution(home, { kind: 'artifact', request: wrong })),
    ).rejects.toThrow(/formats: expected among text, json, got zip/);
  });
});

describe('the index', () => {
  it('takes in what another process stores', async () => {
    const home = await temporaryHome();
    const index = await openResultIndex(home, () => {});
    onTestFinished(() => index.close());
    const { result } = await execute(execution(home, comparison));
    await expect.poll(() => index.list().map((entry) => entry.id)).toEqual([result]);
    expect(index.latest({ kind: 'comparison', task: 'guess' })?.id).toBe(result);
    expect(index.latest({ kind: 'claim' })).toBeUndefined();
  });
});

describe('checkpoints on disk', () => {
  it('read back what was written and treat damaged pieces as absent', async () => {
    const home = await temporaryHome();
    const checkpoint = openCheckpoint(home, 'f'.repeat(64));
    const bytes = new Uint8Array([1, 2, 3]);
    expect(await checkpoint.read('a/b')).toBeUndefined();
    await checkpoint.write('a/b', bytes);
    await checkpoint.write('../..', new Uint8Array());
    expect(await checkpoint.read('a/b')).toEqual(bytes);
    expect(await checkpoint.read('../..')).toEqual(new Uint8Array());
    const names = await readdir(checkpoint.directory);
    expect(names).toHaveLength(2);
    for (const name of names) await truncate(join(checkpoint.directory, name), 33);
    expect(await checkpoint.read('a/b')).toBeUndefined();
    await checkpoint.clear();
    expect(await readdir(join(home, 'work'))).toEqual([]);
  });

  it('are swept once their result is stored or when a week has passed', async () => {
    const home = await temporaryHome();
    await execute(execution(home, comparison));
    const waiting = openCheckpoint(home, 'e'.repeat(64));
    await waiting.write('piece', new Uint8Array([1]));
    await sweepCheckpoints(home);
    expect(await readdir(join(home, 'work'))).toEqual(['e'.repeat(64)]);
    await sweepCheckpoints(home, Date.now() + 8 * 24 * 60 * 60 * 1000);
    expect(await readdir(join(home, 'work'))).toEqual([]);
  });
});
