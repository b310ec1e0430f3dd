import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidFileError, InvalidInputError } from '../error.ts';
import { mutate, seededIntegers } from '../format/mutations.ts';
import { datasets } from './datasets.ts';
import { parseDigits, readDigits, readTextDataset } from './read-dataset.ts';
import { dataDirectories, describeDataset, locateDataset } from './registry.ts';
import { sharedPath } from './shared.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'assay-registry-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('the registry', () => {
  it('says of each data set what, whose and where from', () => {
    for (const [name, dataset] of Object.entries(datasets)) {
      expect(dataset.name).toBe(name);
      expect(dataset.licence).not.toBe('');
      for (const file of dataset.files) {
        expect(file.sha256).toMatch(/^[0-9a-f]{64}$/);
        expect(file.url).toMatch(/^https:\/\/github\.com\/[\w-]+\/[\w-]+\/tree\/\w/);
      }
    }
    expect(() => describeDataset('toString')).toThrow(InvalidInputError);
  });

  it('looks in ASSAY_DATA, then in the cache', () => {
    const cache = join(homedir(), '.cache', 'assay');
    expect(dataDirectories({})).toEqual([cache]);
    expect(dataDirectories({ ASSAY_DATA: '/data' })).toEqual(['/data', cache]);
  });

  it('says where to get a missing file and where to put it', async () => {
    const work = locateDataset('wikitext2', { directories: [root] });
    await expect(work).rejects.toMatchObject({ code: 'not-found' });
    const again = locateDataset('wikitext2', { directories: [root] });
    await expect(again).rejects.toThrow(
      new RegExp(`wikitext-2/valid\\.txt\\s+to ${root}/wikitext2/valid\\.txt\\.gz`),
    );
  });

  it('refuses a file with other content', async () => {
    const path = join(root, 'tinyshakespeare', 'input.txt.gz');
    await mkdir(dirname(path));
    await writeFile(path, gzipSync('not Shakespeare'));
    const work = locateDataset('tinyshakespeare', { directories: [root] });
    await expect(work).rejects.toThrow(
      /input\.txt\.gz: content: expected SHA-256 86c4e6aa/,
    );
    await writeFile(path, 'not even gzip');
    const again = locateDataset('tinyshakespeare', { directories: [root] });
    await expect(again).rejects.toBeInstanceOf(InvalidFileError);
  });
});

const shared = sharedPath('data');

describe.skipIf(!shared.exists)('the files (needs the shared data)', () => {
  const options = { directories: [shared.path] };

  it('are found with their checksums', async () => {
    for (const name of Object.keys(datasets)) {
      const located = await locateDataset(name, options);
      expect(Object.keys(located.paths)).toHaveLength(located.files.length);
    }
  });

  it('serve unzipped or zipped anew as well', async () => {
    const original = join(shared.path, 'tinyshakespeare', 'input.txt.gz');
    const text = gunzipSync(await readFile(original));
    for (const [name, bytes] of [
      ['input.txt', text],
      ['input.txt.gz', gzipSync(text, { level: 1 })],
    ] as const) {
      const directory = await mkdtemp(join(root, 'form-'));
      await mkdir(join(directory, 'tinyshakespeare'));
      await writeFile(join(directory, 'tinyshakespeare', name), bytes);
      const all = await readTextDataset('tinyshakespeare', 'all', {
        directories: [directory],
      });
      expect(all.documents[0]?.text).toHaveLength(1115394);
    }
  });

  it('split as they say', async () => {
    const counts: Record<string, [train: number, test: number]> = {
      wikitext2: [1, 1],
      speeches: [98, 26],
      'tech-docs': [322, 80],
      // One of the 199 files is empty.
      'source-code': [159, 39],
    };
    for (const [name, [train, test]] of Object.entries(counts)) {
      const parts = await Promise.all(
        (['train', 'test', 'all'] as const).map((split) =>
          readTextDataset(name, split, options),
        ),
      );
      expect(parts.map((part) => part.documents.length)).toEqual([
        train,
        test,
        train + test,
      ]);
    }
    const test = await readTextDataset('tinyshakespeare', 'test', options);
    expect(test.documents[0]?.text).toHaveLength(111540);
    await expect(readTextDataset('digits', 'all', options)).rejects.toThrow(
      /text data set/,
    );
  });

  it('give digits as tensors', async () => {
    const all = await readDigits('all', options);
    expect(all.images.shape).toEqual([1797, 8, 8]);
    expect([...all.labels.data.subarray(0, 10)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect([...all.images.data.subarray(0, 8)]).toEqual([0, 0, 5, 13, 9, 1, 0, 0]);
    const test = await readDigits('test', options);
    expect(test.labels.shape).toEqual([359]);
    expect(test.labels.data[0]).toBe(4);
  });
});

describe('digit rows', () => {
  const row = (label: number): string => `${Array(64).fill(7).join(',')},${label}`;

  it('are parsed, or refused with their line', () => {
    expect([...parseDigits(`${row(3)}\n${row(4)}\n`, 'f').labels.data]).toEqual([3, 4]);
    const wrong = [
      row(10),
      `${row(1)},1`,
      row(1).replace('7', '17'),
      row(1).replace('7', 'x'),
    ];
    for (const line of wrong) {
      expect(() => parseDigits(`${row(1)}\n${line}`, 'f')).toThrow(/line 2/);
    }
    expect(() => parseDigits('', 'f')).toThrow(InvalidFileError);
  });

  it('answer 2000 damaged files with digits or a typed error', () => {
    const whole = Buffer.from(`${row(1)}\n${row(2)}\n${row(3)}\n`);
    const integer = seededIntegers(7);
    for (let round = 0; round < 2000; round++) {
      const text = Buffer.from(mutate(whole, integer)).toString('latin1');
      try {
        const { images, labels } = parseDigits(text, 'f');
        expect(images.data.every((value) => value <= 16)).toBe(true);
        expect(labels.data.every((value) => value <= 9)).toBe(true);
      } catch (error) {
        if (!(error instanceof InvalidFileError)) throw error;
      }
    }
  });
});
