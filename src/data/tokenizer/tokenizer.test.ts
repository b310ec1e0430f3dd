import { copyFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CancelledError, InvalidFileError, InvalidInputError } from '../../error.ts';
import { mutate, seededIntegers } from '../../format/mutations.ts';
import { sharedPath } from '../shared.ts';
import { byteCharacters, wordPattern } from './byte-level.ts';
import { Heap } from './heap.ts';
import { loadHuggingFaceTokenizer, tokenizerFromJson } from './hugging-face.ts';
import { llama2cTokenizer, parseLlama2cVocabulary } from './llama2c.ts';
import { loadTokenizer } from './load.ts';
import { trainTokenizer } from './train.ts';

let root = '';
let directory = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'assay-tokenizer-'));
});
beforeEach(async () => {
  directory = await mkdtemp(join(root, 'case-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const sentences = [
  'the cat sat on the mat, the cat ran. ',
  'aaaaaaa abab abab abababab\n\n\n  indented\t12345 12 3',
  "it's the cat's; we'll see — naïve café 猫猫猫 🙂🙂",
];
const documents = Array.from({ length: 20 }, (_, index) => sentences[index % 3]!);

/** BPE by its definition: in each word, merge the pair of lowest rank until none is left. */
function plainEncode(text: string, json: string): number[] {
  const { model } = JSON.parse(json) as {
    model: { vocab: Record<string, number>; merges: string[] };
  };
  const ids: number[] = [];
  for (const [word] of text.matchAll(wordPattern)) {
    let parts = [...Buffer.from(word)].map((byte) => byteCharacters[byte]!);
    for (;;) {
      const ranks = parts
        .slice(1)
        .map((part, at) => model.merges.indexOf(`${parts[at]} ${part}`));
      const best = Math.min(...ranks.filter((rank) => rank >= 0));
      if (best === Number.POSITIVE_INFINITY) break;
      const [left, right] = model.merges[best]!.split(' ');
      const next: string[] = [];
      for (let at = 0; at < parts.length; at++) {
        if (parts[at] === left && parts[at + 1] === right) {
          next.push(`${left}${right}`);
          at++;
        } else next.push(parts[at]!);
      }
      parts = next;
    }
    ids.push(...parts.map((part) => model.vocab[part]!));
  }
  return ids;
}

/** BPE training by its definition: count all pairs anew before each merge. */
function plainMerges(texts: readonly string[], merges: number): string[] {
  const words = texts.flatMap((text) =>
    [...text.matchAll(wordPattern)].map(([word]) =>
      [...Buffer.from(word)].map((byte) => byteCharacters[byte]!),
    ),
  );
  const order = new Map([...byteCharacters].sort().map((token, id) => [token, id]));
  const made: string[] = [];
  while (made.length < merges) {
    const counts = new Map<string, number>();
    for (const word of words) {
      for (let at = 0; at + 1 < word.length; at++) {
        const pair = `${word[at]} ${word[at + 1]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const rank = (pair: string): number => {
      const [left, right] = pair.split(' ');
      return order.get(left!)! * 1e6 + order.get(right!)!;
    };
    const [best] = [...counts].sort(([a, x], [b, y]) => y - x || rank(a) - rank(b));
    if (!best || best[1] < 2) break;
    made.push(best[0]);
    const [left, right] = best[0].split(' ');
    const token = `${left}${right}`;
    if (!order.has(token)) order.set(token, order.size);
    for (const word of words) {
      for (let at = 0; at + 1 < word.length; at++) {
        if (word[at] === left && word[at + 1] === right) word.splice(at, 2, token);
      }
    }
  }
  return made;
}

describe('Heap', () => {
  it('gives items in order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (items) => {
        const heap = new Heap<number>((a, b) => a < b);
        for (const item of items) heap.push(item);
        const out = Array.from({ length: heap.size }, () => heap.pop());
        expect(out).toEqual([...items].sort((a, b) => a - b));
        expect(heap.pop()).toBeUndefined();
      }),
      { seed: 1 },
    );
  });
});

describe('training', () => {
  it('finds the merges that counting everything anew finds', async () => {
    const { tokenizer } = await trainTokenizer(documents, { vocabularySize: 320 });
    const { model } = JSON.parse(tokenizer.json) as { model: { merges: string[] } };
    expect(model.merges.length).toBeGreaterThan(50);
    expect(model.merges).toEqual(plainMerges(documents, model.merges.length));
  });

  it('encodes as BPE is defined and decodes back', async () => {
    const { tokenizer, vocabularySize } = await trainTokenizer(documents, {
      vocabularySize: 325,
    });
    expect(vocabularySize).toBe(325);
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...sentences)),
        (text) => {
          const ids = tokenizer.encode(text);
          expect(ids).toEqual(plainEncode(text, tokenizer.json));
          expect(tokenizer.decode(ids)).toBe(text.toWellFormed());
        },
      ),
      { numRuns: 200, seed: 3 },
    );
  });

  it('is the same each time and after its file is loaded', async () => {
    const one = await trainTokenizer(documents, { vocabularySize: 300 });
    const two = await trainTokenizer(documents, { vocabularySize: 300 });
    expect(two.tokenizer.json).toBe(one.tokenizer.json);
    await writeFile(join(directory, 'tokenizer.json'), one.tokenizer.json);
    const loaded = await loadTokenizer(directory);
    expect(loaded?.json).toBe(one.tokenizer.json);
    const text = `${sentences.join('<|endoftext|>')} new words`;
    expect(loaded?.encode(text)).toEqual(one.tokenizer.encode(text));
  });

  it('gives special tokens the last ids and never merges across them', async () => {
    const { tokenizer, vocabularySize } = await trainTokenizer(['ab<|end|>ab<|end|>ab'], {
      vocabularySize: 1000,
      specialTokens: ['<|end|>'],
    });
    expect(vocabularySize).toBe(258);
    expect(tokenizer.encode('ab<|end|>')).toEqual([256, 257]);
    expect(tokenizer.decode([256, 257])).toBe('ab<|end|>');
    expect(tokenizer.encode('')).toEqual([]);
    expect(tokenizer.decode([])).toBe('');
  });

  it('refuses a vocabulary too small and stops when cancelled', async () => {
    const small = trainTokenizer(documents, { vocabularySize: 256 });
    await expect(small).rejects.toBeInstanceOf(InvalidInputError);
    const signal = AbortSignal.abort();
    const stopped = trainTokenizer(documents, { vocabularySize: 300, signal });
    await expect(stopped).rejects.toBeInstanceOf(CancelledError);
  });
});

describe('a Hugging Face directory', () => {
  it('names what is wrong with a file', async () => {
    const path = join(directory, 'tokenizer.json');
    await expect(loadHuggingFaceTokenizer(directory)).rejects.toThrow(/no such file/);
    expect(await loadTokenizer(directory)).toBeNull();
    const wrong: [string, RegExp][] = [
      ['{', /JSON/],
      ['[]', /an object/],
      ['{}', /model/],
      ['{"model":{"type":"Wrong","vocab":{}}}', /model\.type/],
      ['{"model":{"type":"BPE","vocab":{"a":-1}}}', /a token id/],
      ['{"model":{"type":"BPE","vocab":{"a":1}}}', /supported tokenizer/],
    ];
    for (const [text, message] of wrong) {
      await writeFile(path, text);
      await expect(loadTokenizer(directory)).rejects.toThrow(message);
      await expect(loadTokenizer(directory)).rejects.toBeInstanceOf(InvalidFileError);
    }
  });

  it('adds no special tokens although the file has a template that does', () => {
    const definition = {
      added_tokens: [{ id: 2, content: '<s>', special: true }],
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
      post_processor: {
        type: 'TemplateProcessing',
        single: [
          { SpecialToken: { id: '<s>', type_id: 0 } },
          { Sequence: { id: 'A', type_id: 0 } },
        ],
        pair: [],
        special_tokens: { '<s>': { id: '<s>', ids: [2], tokens: ['<s>'] } },
      },
      decoder: { type: 'ByteLevel' },
      model: { type: 'BPE', vocab: { a: 0, b: 1, '<s>': 2 }, merges: [] },
    };
    const tokenizer = tokenizerFromJson(JSON.stringify(definition));
    expect(tokenizer.encode('ab')).toEqual([0, 1]);
    expect(tokenizer.encode('<s>ab')).toEqual([2, 0, 1]);
    expect(tokenizer.decode([2, 0, 1])).toBe('<s>ab');
  });

  it('answers 2000 damaged tokenizer.json files with a tokenizer or a typed error', async () => {
    const { tokenizer } = await trainTokenizer(['ab ab abc'], { vocabularySize: 260 });
    const whole = Buffer.from(tokenizer.json);
    const integer = seededIntegers(4);
    let refused = 0;
    for (let round = 0; round < 2000; round++) {
      const text = Buffer.from(mutate(whole, integer)).toString('utf8');
      try {
        tokenizerFromJson(text);
      } catch (error) {
        if (!(error instanceof InvalidFileError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});

const gpt2 = sharedPath('data', 'tokenizers', 'gpt2-vocab.json.gz');

describe.skipIf(!gpt2.exists)('GPT-2 files (needs the shared data)', () => {
  it('load from vocab.json and merges.txt and give the published ids', async () => {
    for (const [from, to] of [
      ['gpt2-vocab.json.gz', 'vocab.json'],
      ['gpt2-merges.txt.gz', 'merges.txt'],
    ] as const) {
      const { path } = sharedPath('data', 'tokenizers', from);
      writeFileSync(join(directory, to), gunzipSync(await readFile(path)));
    }
    const tokenizer = await loadTokenizer(directory);
    expect(tokenizer?.encode('Hello world')).toEqual([15496, 995]);
    expect(tokenizer?.encode('<|endoftext|>')).toEqual([50256]);
    const text = sentences.join('\n');
    expect(tokenizer?.decode(tokenizer.encode(text))).toBe(text);
    writeFileSync(join(directory, 'merges.txt'), '#version: 0.2\nh zz9\n');
    await expect(loadTokenizer(directory)).rejects.toThrow(/merges.txt: line 2/);
  });
});

/** A vocabulary of the three special pieces, the bytes and the given scored pieces. */
function llama2cBytes(pieces: readonly (readonly [string, number])[]): Buffer {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  );
  const special = ['<unk>', '\n<s>\n', '\n</s>\n', ...bytes].map(
    (piece) => [piece, 0] as const,
  );
  const longest = Buffer.alloc(4);
  longest.writeInt32LE(16);
  const parts = [...special, ...pieces].map(([piece, score]) => {
    const text = Buffer.from(piece);
    const head = Buffer.alloc(8);
    head.writeFloatLE(score);
    head.writeInt32LE(text.length, 4);
    return Buffer.concat([head, text]);
  });
  return Buffer.concat([longest, ...parts]);
}

describe('llama2.c tokenizers', () => {
  const bytes = llama2cBytes([
    [' ', -9],
    ['a', -8],
    ['b', -7],
    ['ab', -2],
    ['ba', -1],
    ['aba', -3],
  ]);

  it('merge the best score first, the leftmost of equals, and fall back to bytes', () => {
    const tokenizer = llama2cTokenizer(parseLlama2cVocabulary(bytes, 'f'));
    const ids = { ' ': 259, a: 260, b: 261, ab: 262, ba: 263, aba: 264 };
    // a b a b: ba (-1) first, then a+ba = aba.
    expect(tokenizer.encode('abab')).toEqual([ids[' '], ids.aba, ids.b]);
    expect(tokenizer.encode('abb')).toEqual([ids[' '], ids.ab, ids.b]);
    expect(tokenizer.encode('é')).toEqual([ids[' '], 3 + 0xc3, 3 + 0xa9]);
    expect(tokenizer.encode('')).toEqual([]);
    expect(tokenizer.decode([1, ids[' '], ids.aba, 3 + 0xc3, 3 + 0xa9, 2])).toBe('abaé');
    for (const text of [' a', 'ab  ba', '🙂\n', ' ']) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  });

  it('answers 3000 damaged files with pieces or a typed error', () => {
    const integer = seededIntegers(5);
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      try {
        parseLlama2cVocabulary(mutate(bytes, integer), 'f');
      } catch (error) {
        if (!(error instanceof InvalidFileError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1500);
    expect(() => parseLlama2cVocabulary(bytes.subarray(0, 400), 'f')).toThrow(
      InvalidFileError,
    );
  });

  const stories = sharedPath('data', 'checkpoints', 'stories260k', 'tok512.bin');
  it.skipIf(!stories.exists)('load tok512.bin (needs the shared data)', async () => {
    copyFileSync(stories.path, join(directory, 'tok512.bin'));
    const tokenizer = await loadTokenizer(directory);
    expect(tokenizer?.encode('Once upon a time')).toEqual([403, 407, 261, 378]);
    const text = 'Lily and Tom — "friends"!\n';
    expect(tokenizer?.decode(tokenizer.encode(text))).toBe(text);
    // Its tokenizer.json, in the library's own implementation, must agree on real text.
    const converted = tokenizerFromJson(tokenizer!.json!);
    const readme = `${await readFile(sharedPath('data', 'README.md').path, 'utf8')} <unk> x`;
    for (const sample of [...sentences, text, readme.slice(-60_000)]) {
      const ids = tokenizer!.encode(sample);
      expect(converted.encode(sample)).toEqual(ids);
      expect(converted.decode(ids)).toBe(sample);
    }
  });
});
