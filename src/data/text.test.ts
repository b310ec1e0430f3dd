import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CancelledError, InvalidFileError } from '../error.ts';
import { mutate, seededIntegers } from '../format/mutations.ts';
import { readText, streamDocuments } from './text.ts';

let root = '';
let directory = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'assay-text-'));
});
beforeEach(async () => {
  directory = await mkdtemp(join(root, 'case-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const put = async (name: string, content: string | Uint8Array): Promise<string> => {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
};

describe('a file', () => {
  it('is one document, whatever its name, zipped or not', async () => {
    const text = 'Größe\r\n猫 🙂\n'.repeat(20_000);
    for (const [name, content] of [
      ['a.txt', text],
      ['b.txt.gz', gzipSync(text)],
      ['Makefile', text],
      ['bom.md', `\ufeff${text}`],
    ] as const) {
      const { documents, bytes } = await readText(await put(name, content));
      expect(documents).toEqual([{ name, text }]);
      expect(bytes).toBe(Buffer.byteLength(text));
    }
  });

  it('of JSON lines is a document a line', async () => {
    const records = [{ text: 'one' }, { text: ' ' }, { text: 'two\nlines', path: 'p' }];
    const lines = `${records.map((record) => JSON.stringify(record)).join('\n\n')}\r\n`;
    const path = await put('x.jsonl', lines);
    expect((await readText(path)).documents).toEqual([
      { name: 'x.jsonl:1', text: 'one' },
      { name: 'x.jsonl:5', text: 'two\nlines' },
    ]);
    const named = await readText(await put('y.jsonl.gz', gzipSync(lines)), {
      nameField: 'path',
    });
    expect(named.documents.map((document) => document.name)).toEqual([
      'y.jsonl.gz:1',
      'p',
    ]);
    const body = await put('z.jsonl', '{"body":"b"}');
    expect((await readText(body, { field: 'body' })).documents[0]?.text).toBe('b');
  });

  it('is read a document at a time', async () => {
    const path = await put('x.jsonl', '{"text":"one"}\n{"text":"two"}\nnot JSON');
    const names: string[] = [];
    const read = async () => {
      for await (const { text } of streamDocuments(path)) names.push(text);
    };
    await expect(read()).rejects.toThrow(/line 3/);
    expect(names).toEqual(['one', 'two']);
  });
});

describe('a directory', () => {
  it('gives its text files sorted, without hidden, installed and other files', async () => {
    await mkdir(join(directory, 'sub', '.git'), { recursive: true });
    await mkdir(join(directory, 'node_modules'));
    await put('z.md', 'z');
    await put('a.txt', 'a');
    await put('empty.txt', '');
    await put('photo.png', Uint8Array.of(0, 1));
    await put('.hidden.txt', 'h');
    await put('node_modules/x.md', 'n');
    await put('sub/m.jsonl', '{"text":"m"}');
    await put('sub/.git/c.txt', 'c');
    await symlink(join(directory, 'a.txt'), join(directory, 'link.txt'));
    await symlink(directory, join(directory, 'sub', 'circle'));
    const { documents, hash } = await readText(directory);
    expect(documents.map(({ name, text }) => `${name} ${text}`)).toEqual([
      'a.txt a',
      'link.txt a',
      'sub/m.jsonl:1 m',
      'z.md z',
    ]);
    expect((await readText(directory)).hash).toBe(hash);
    await put('z.md', 'y');
    expect((await readText(directory)).hash).not.toBe(hash);
  });

  it('without text says what was looked for', async () => {
    await put('photo.png', Uint8Array.of(0, 1));
    await expect(readText(directory)).rejects.toThrow(/\.txt, \.md.*got none/);
    await put('a.txt', ' \n');
    await expect(readText(directory)).rejects.toThrow(/an empty one/);
  });
});

describe('refused text', () => {
  const cases: [string, string, string | Uint8Array, RegExp][] = [
    ['an empty file', 'a.txt', '', /empty/],
    ['white space', 'a.txt', '\n \t', /empty/],
    ['a zero byte', 'a.txt', 'ab\0c', /at byte 2.*zero byte/],
    ['other encodings', 'a.txt', Uint8Array.of(0x61, 0xff, 0x62), /UTF-8/],
    ['a cut character', 'a.txt', Uint8Array.of(0x61, 0xe2, 0x82), /UTF-8/],
    ['a false gzip', 'a.txt.gz', 'plain', /gzip/],
    ['a cut gzip', 'a.txt.gz', gzipSync('text text text').subarray(0, 20), /gzip/],
    ['a line that is no object', 'a.jsonl', '[1]', /line 1.*JSON object/],
    ['a line without the field', 'a.jsonl', '{"a":1,"b":2}', /"text".*got a, b/],
    ['a field of numbers', 'a.jsonl', '{"text":1}', /a number in it/],
    ['a field of the prototype', 'a.jsonl', '{"toString":1}', /got toString/],
  ];
  it.each(cases)('is %s', async (_, name, content, message) => {
    const path = await put(name, content);
    await expect(readText(path)).rejects.toThrow(message);
    await expect(readText(path)).rejects.toBeInstanceOf(InvalidFileError);
  });

  it('is a missing file, one too large after unzipping, and any once cancelled', async () => {
    await expect(readText(join(directory, 'none'))).rejects.toThrow(/nothing there/);
    const bomb = await put('bomb.txt.gz', gzipSync(Buffer.alloc(50_000_000, 'a')));
    const limited = readText(bomb, { maximumBytes: 1_000_000 });
    await expect(limited).rejects.toThrow(/at most 1000000 bytes/);
    const stopped = readText(bomb, { signal: AbortSignal.abort() });
    await expect(stopped).rejects.toBeInstanceOf(CancelledError);
  });

  it('never escapes as another error from 2000 damaged files', async () => {
    const lines = Array.from({ length: 20 }, (_, index) =>
      JSON.stringify({ text: `t ${index}` }),
    );
    const plain = Buffer.from(lines.join('\n'));
    const integer = seededIntegers(6);
    let refused = 0;
    for (let round = 0; round < 2000; round++) {
      const zipped = round % 4 === 0;
      const path = join(directory, zipped ? 'x.jsonl.gz' : 'x.jsonl');
      writeFileSync(path, mutate(zipped ? gzipSync(plain) : plain, integer));
      try {
        await readText(path);
      } catch (error) {
        if (!(error instanceof InvalidFileError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});
