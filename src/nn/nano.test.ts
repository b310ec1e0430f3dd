/** The model that ships: its folder, its configuration, and the numbers on its card. */

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { installedText } from '../data/installed-text.ts';
import { runContext } from '../nouns/run.ts';
import { parameterCount } from './decoder/parameters.ts';
import { generateText } from './generate.ts';
import { loadLanguageModel } from './load.ts';
import { textPerplexity } from './perplexity.ts';

const directory = join(import.meta.dirname, '..', '..', 'models', 'nano');

interface TrainingRecord {
  readonly parameters: number;
  readonly heldOut: { readonly perplexity: number; readonly bitsPerByte: number };
}

async function record(): Promise<TrainingRecord> {
  const text = await readFile(join(directory, 'training.json'), 'utf8');
  return JSON.parse(text) as TrainingRecord;
}

describe('models/nano', () => {
  it('is small and complete, and its card says what was measured', async () => {
    const names = await readdir(directory);
    const sizes = await Promise.all(names.map((name) => stat(join(directory, name))));
    const bytes = sizes.reduce((sum, { size }) => sum + size, 0);
    expect(bytes).toBeLessThan(6_000_000);
    const { heldOut, parameters } = await record();
    const card = await readFile(join(directory, 'README.md'), 'utf8');
    expect(card).toContain(heldOut.perplexity.toFixed(3));
    expect(card).toContain(heldOut.bitsPerByte.toFixed(4));
    const model = await loadLanguageModel(directory);
    expect(parameterCount(model.config)).toBe(parameters);
    expect(model.parameters.describe('model.norm.weight').dtype).toBe('float16');
  });

  it('reads and writes any text and continues it', async () => {
    const model = await loadLanguageModel(directory);
    const text = 'interface Größe<T> { readonly π: number; } // 🚀';
    expect(model.tokenizer!.decode(model.tokenizer!.encode(text))).toBe(text);
    const options = { maximumTokens: 20 };
    const context = runContext();
    const written = await generateText(model, 'interface Array<T> {', context, options);
    expect(written.length).toBeGreaterThan(10);
  });

  it('finds text it has not seen far likelier than bytes at random', async () => {
    const model = await loadLanguageModel(directory);
    const { documents } = await installedText({ split: 'held-out' });
    const text = documents
      .map((document) => document.text)
      .join('\n')
      .slice(0, 20_000);
    const measured = await textPerplexity(model, text, runContext());
    expect(measured.bitsPerByte).toBeLessThan(2.5);
    expect(measured.bitsPerByte! / (await record()).heldOut.bitsPerByte).toBeLessThan(
      1.5,
    );
  });
});
