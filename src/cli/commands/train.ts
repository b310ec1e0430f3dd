/** `assay train lm TEXT... -o OUT`: a small language model from text files. */

import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { z } from 'zod';
import { installedText, splitOf } from '../../data/installed-text.ts';
import { readText, type TextDocument } from '../../data/text.ts';
import { InvalidInputError } from '../../error.ts';
import { sha256 } from '../../format/hash.ts';
import { openCheckpoint } from '../../lab/checkpoint.ts';
import { assayVersion } from '../../lab/environment.ts';
import { fingerprint } from '../../lab/fingerprint.ts';
import { homeDirectory } from '../../lab/home.ts';
import { saveLanguageModel } from '../../nn/save.ts';
import { runContext } from '../../nouns/run.ts';
import { trainLanguageModel } from '../../train/language-model.ts';
import { trainingOptions } from '../../train/options.ts';
import { trainVocabulary } from '../../train/vocabulary.ts';
import type { CommandSurroundings } from '../command.ts';
import { parseCommand } from '../parse.ts';
import { runFlags } from '../run-flags.ts';

const flags = z.object({
  output: z.string().default('').describe('Directory to write (-o)'),
  heldOut: z
    .string()
    .default('')
    .describe(
      'Text to measure on; a tenth of the files, or of a single file, if left out',
    ),
  overwrite: z.boolean().default(false).describe('Replace the directory if it exists'),
});

interface Texts {
  readonly training: readonly string[];
  readonly heldOut: readonly string[];
}

export async function trainCommand(
  args: readonly string[],
  { terminal, signal }: CommandSurroundings,
): Promise<number> {
  const [kind, ...rest] = args;
  const isHelp = kind === '--help' || kind === '-h';
  if (kind !== 'lm' && !isHelp) {
    throw new InvalidInputError('train', '"lm", a language model', kind ?? 'nothing');
  }
  const values = parseCommand(
    {
      usage: 'assay train lm TEXT... -o OUT',
      summary:
        'Trains a LLaMA-style model with a vocabulary of its own. TEXT is a file, a directory, ' +
        'a .jsonl file, or "installed": the documentation that came with the packages.',
      positionals: ['TEXT...'],
      required: 1,
      sections: [
        { title: 'Files', schema: flags },
        { title: 'Model and training', schema: trainingOptions },
        { title: 'Run', schema: runFlags },
      ],
    },
    isHelp ? ['--help'] : rest,
    terminal,
  );
  if (!values) return 0;
  const { output, heldOut, overwrite } = values.of(flags);
  const options = values.of(trainingOptions);
  const run = values.of(runFlags);
  if (output === '') throw new InvalidInputError('--output', 'a directory', 'nothing');
  if (existsSync(output) && !overwrite) {
    const expected = 'a directory that does not exist yet, or --overwrite';
    throw new InvalidInputError('--output', expected, `${output}, which exists`);
  }
  const texts = await readTexts(values.positionals, heldOut);
  const checkpoint = openCheckpoint(
    homeDirectory(),
    fingerprint({
      verb: 'train lm',
      options,
      seed: run.seed,
      texts: sha256(JSON.stringify(texts)),
      version: assayVersion(),
    }),
  );
  const context = runContext({
    seed: run.seed,
    threads: run.threads,
    signal,
    checkpoint,
    progress: (update) => terminal.progress(update),
  });
  const vocabulary = await trainVocabulary(texts.training, options.vocabulary, context);
  const trained = await trainLanguageModel(options, texts, vocabulary, context);
  const model = { ...trained.model, name: basename(output) };
  await saveLanguageModel(model, output, {
    precision: options.precision,
    existing: overwrite ? 'replace' : 'refuse',
  });
  await checkpoint.clear();
  const last = trained.history.at(-1);
  if (run.json) {
    const { history, trainingTokens, heldOutTokens } = trained;
    const summary = { directory: output, trainingTokens, heldOutTokens, history };
    terminal.print(JSON.stringify(summary));
  } else {
    terminal.print(`wrote ${output}: ${describe(last)}`);
  }
  return 0;
}

function describe(point: unknown): string {
  if (typeof point !== 'object' || point === null) return 'no loss was measured';
  return Object.entries(point)
    .filter(([, value]) => typeof value === 'number')
    .map(([name, value]) => `${name} ${(value as number).toPrecision(4)}`)
    .join(', ');
}

/** Training and held-out texts; no file is in both. */
async function readTexts(paths: readonly string[], heldOutPath: string): Promise<Texts> {
  const documents: TextDocument[] = [];
  const heldOut: string[] = [];
  for (const path of paths) {
    if (path === 'installed') {
      documents.push(...(await installedText({ split: 'train' })).documents);
      const held = await installedText({ split: 'held-out' });
      heldOut.push(...held.documents.map(({ text }) => text));
    } else {
      documents.push(...(await readText(path)).documents);
    }
  }
  if (heldOutPath !== '') {
    const own = (await readText(heldOutPath)).documents.map(({ text }) => text);
    return { training: documents.map(({ text }) => text), heldOut: own };
  }
  if (heldOut.length > 0) {
    return { training: documents.map(({ text }) => text), heldOut };
  }
  if (documents.length === 1) {
    const { text } = documents[0]!;
    const cut = Math.floor(text.length * 0.9);
    return { training: [text.slice(0, cut)], heldOut: [text.slice(cut)] };
  }
  const inSplit = (split: string) =>
    documents.filter(({ name }) => splitOf(name) === split).map(({ text }) => text);
  return { training: inSplit('train'), heldOut: inSplit('held-out') };
}
