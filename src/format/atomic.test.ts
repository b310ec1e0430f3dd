import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AssayError, CancelledError, InvalidInputError } from '../error.ts';
import { writeDirectoryAtomic, writeFileAtomic } from './atomic.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-atomic-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('writeFileAtomic', () => {
  it('writes text, bytes and chunks, replacing what was there', async () => {
    const path = join(directory, 'deep', 'file');
    await writeFileAtomic(path, 'é');
    expect(await readFile(path, 'utf8')).toBe('é');
    await writeFileAtomic(path, Uint8Array.of(1, 2));
    expect([...(await readFile(path))]).toEqual([1, 2]);
    await writeFileAtomic(path, [Uint8Array.of(3), Uint8Array.of(), Uint8Array.of(4)]);
    expect([...(await readFile(path))]).toEqual([3, 4]);
    expect(await readdir(join(directory, 'deep'))).toEqual(['file']);
  });

  it('keeps the old file and leaves nothing behind when a chunk fails', async () => {
    const path = join(directory, 'file');
    await writeFile(path, 'old');
    const failing = async function* () {
      yield Uint8Array.of(1);
      throw new Error('source broke');
    };
    await expect(writeFileAtomic(path, failing())).rejects.toThrow('source broke');
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(directory)).toEqual(['file']);
  });

  it('stops between chunks when the signal fires', async () => {
    const controller = new AbortController();
    const path = join(directory, 'file');
    let pulled = 0;
    const chunks = function* () {
      for (; pulled < 100; pulled++) {
        if (pulled === 3) controller.abort();
        yield Uint8Array.of(pulled);
      }
    };
    const work = writeFileAtomic(path, chunks(), { signal: controller.signal });
    await expect(work).rejects.toBeInstanceOf(CancelledError);
    expect(pulled).toBe(3);
    expect(await readdir(directory)).toEqual([]);
  });

  it('says why the disk refused', async () => {
    await writeFile(join(directory, 'file'), '');
    const work = writeFileAtomic(join(directory, 'file', 'below'), 'x');
    await expect(work).rejects.toMatchObject({ code: 'environment' });
    await expect(writeFileAtomic(directory, 'x')).rejects.toBeInstanceOf(AssayError);
  });
});

describe('writeDirectoryAtomic', () => {
  const fill = async (at: string): Promise<string> => {
    await mkdir(join(at, 'part'));
    await writeFile(join(at, 'part', 'new'), 'new');
    return 'made';
  };

  it('makes a directory at once and refuses one that exists', async () => {
    const target = join(directory, 'model');
    expect(await writeDirectoryAtomic(target, fill, { existing: 'refuse' })).toBe('made');
    expect(await readFile(join(target, 'part', 'new'), 'utf8')).toBe('new');
    let built = false;
    const again = writeDirectoryAtomic(
      target,
      async () => {
        built = true;
      },
      { existing: 'refuse' },
    );
    await expect(again).rejects.toBeInstanceOf(InvalidInputError);
    expect(built).toBe(false);
    expect(await readdir(directory)).toEqual(['model']);
  });

  it('replaces all of the old directory when asked', async () => {
    const target = join(directory, 'model');
    await mkdir(target);
    await writeFile(join(target, 'old'), 'old');
    await writeDirectoryAtomic(target, fill, { existing: 'replace' });
    expect(await readdir(target)).toEqual(['part']);
    expect(await readdir(directory)).toEqual(['model']);
  });

  it('keeps the old directory when building fails or is cancelled', async () => {
    const target = join(directory, 'model');
    await mkdir(target);
    await writeFile(join(target, 'old'), 'old');
    const failing = writeDirectoryAtomic(
      target,
      async (at) => {
        await fill(at);
        throw new Error('no');
      },
      { existing: 'replace' },
    );
    await expect(failing).rejects.toThrow('no');
    const controller = new AbortController();
    const cancelled = writeDirectoryAtomic(
      target,
      async (at) => {
        await fill(at);
        controller.abort();
      },
      { existing: 'replace', signal: controller.signal },
    );
    await expect(cancelled).rejects.toBeInstanceOf(CancelledError);
    expect(await readdir(target)).toEqual(['old']);
    expect(await readdir(directory)).toEqual(['model']);
  });

  it('never replaces a file', async () => {
    const target = join(directory, 'model');
    await writeFile(target, 'precious');
    const work = writeDirectoryAtomic(target, fill, { existing: 'replace' });
    await expect(work).rejects.toBeInstanceOf(InvalidInputError);
    expect(await readFile(target, 'utf8')).toBe('precious');
  });
});
