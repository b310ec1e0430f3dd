import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AssayError } from '../error.ts';
import { installedText, splitOf } from './installed-text.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'assay-installed-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

describe('installedText', () => {
  it('finds enough on this machine, the same each time, in two disjoint splits', async () => {
    const train = await installedText({ split: 'train' });
    const heldOut = await installedText({ split: 'held-out' });
    expect(train.bytes).toBeGreaterThan(500_000);
    expect(heldOut.bytes).toBeGreaterThan(20_000);
    expect(train.bytes).toBeLessThanOrEqual(4_000_000);
    expect(train.files.some((file) => heldOut.files.includes(file))).toBe(false);
    expect(train.files.every((file) => splitOf(file) === 'train')).toBe(true);
    expect(train.files).toEqual([...train.files].sort());
    expect((await installedText({ split: 'train' })).hash).toBe(train.hash);
    for (const file of [
      'typescript/lib/lib.es5.d.ts',
      '@types/node/fs.d.ts',
      'zod/README.md',
    ]) {
      expect([...train.files, ...heldOut.files]).toContain(file);
    }
  });

  it('stays within its bound', async () => {
    const bounded = await installedText({ split: 'train', maximumBytes: 100_000 });
    expect(bounded.bytes).toBeLessThanOrEqual(100_000);
    expect(bounded.bytes).toBeGreaterThan(10_000);
  });

  it('walks up to the packages of its host and skips what is not text', async () => {
    await put(
      'app/node_modules/assay/package.json',
      '{"dependencies":{"near":"1","far":"1"}}',
    );
    await put('app/node_modules/assay/node_modules/near/README.md', 'n'.repeat(30_000));
    await put('app/node_modules/far/readme.markdown', 'f'.repeat(30_000));
    await put('app/node_modules/unlisted/README.md', 'u'.repeat(30_000));
    await put('app/node_modules/typescript/lib/lib.x.d.ts', 'a\0b');
    await put('app/node_modules/typescript/lib/other.d.ts', 'o'.repeat(30_000));
    const host = join(root, 'app/node_modules/assay');
    const found = new Set<string>();
    for (const split of ['train', 'held-out'] as const) {
      const text = await installedText({ split, root: host }).catch(() => null);
      for (const file of text?.files ?? []) found.add(file);
    }
    expect([...found].sort()).toEqual(['far/readme.markdown', 'near/README.md']);
  });

  it('takes the declarations of the listed packages where TypeScript is not installed', async () => {
    const host = join(root, 'packed');
    const library = join(host, 'node_modules', 'library');
    await mkdir(join(library, 'types', 'node_modules'), { recursive: true });
    const manifest = JSON.stringify({ dependencies: { library: '1.0.0' } });
    await writeFile(join(host, 'package.json'), manifest);
    for (let index = 0; index < 30; index++) {
      const text = `export declare const value${index}: number;\n`.repeat(60);
      await writeFile(join(library, 'types', `part${index}.d.ts`), text);
    }
    await writeFile(join(library, 'types', 'node_modules', 'no.d.ts'), 'x');
    const train = await installedText({ split: 'train', root: host });
    const heldOut = await installedText({ split: 'held-out', root: host });
    const names = [...train.files, ...heldOut.files].sort();
    expect(names).toHaveLength(30);
    expect(names).toContain('library/types/part0.d.ts');
    expect(heldOut.files.length).toBeGreaterThan(0);
  });

  it('says what to give when there is too little', async () => {
    await mkdir(join(root, 'empty'));
    const work = installedText({ split: 'train', root: join(root, 'empty') });
    await expect(work).rejects.toBeInstanceOf(AssayError);
    const again = installedText({ split: 'train', root: join(root, 'empty') });
    await expect(again).rejects.toThrow(/--calibration and --eval/);
  });
});
