/** Trains the model that ships as `models/nano` and writes its card: `node scripts/train-nano.ts --shared DIR`. */

import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installedText } from '../src/data/installed-text.ts';
import { readText, type TextDocument } from '../src/data/text.ts';
import { writeFileAtomic } from '../src/format/atomic.ts';
import { sha256 } from '../src/format/hash.ts';
import { parameterCount } from '../src/nn/decoder/parameters.ts';
import { loadLanguageModel } from '../src/nn/load.ts';
import { textPerplexity } from '../src/nn/perplexity.ts';
import { saveLanguageModel } from '../src/nn/save.ts';
import { runContext } from '../src/nouns/run.ts';
import { trainLanguageModel } from '../src/train/language-model.ts';
import { trainingOptions } from '../src/train/options.ts';
import { trainVocabulary } from '../src/train/vocabulary.ts';
import { nanoCard } from './nano-card.ts';

const { values: flags } = parseArgs({
  options: {
    shared: { type: 'string', default: '../shared' },
    work: { type: 'string', default: '.cache/train-nano' },
    output: { type: 'string', default: 'models/nano' },
    seed: { type: 'string', default: '0' },
    threads: { type: 'string', default: '1' },
    steps: { type: 'string', default: '6000' },
    decay: { type: 'string', default: '400' },
    batch: { type: 'string', default: '8' },
    'learning-rate': { type: 'string', default: '0.003' },
  },
});

const options = trainingOptions.parse({
  layers: 3,
  hidden: 256,
  heads: 8,
  kvHeads: 4,
  intermediate: 640,
  vocabulary: 1024,
  context: 256,
  batch: Number(flags.batch),
  steps: Number(flags.steps),
  warmup: 200,
  decay: Number(flags.decay),
  learningRate: Number(flags['learning-rate']),
  precision: 'float16',
});
const seed = Number(flags.seed);

/** Documents by the path order of their files, every fifth left for measuring. */
function fourFifths(documents: readonly TextDocument[]): string[] {
  return documents.filter((_, index) => index % 5 !== 4).map(({ text }) => text);
}

async function sources(): Promise<Record<string, string[]>> {
  const data = (...parts: string[]) => join(flags.shared, 'data', ...parts);
  const read = async (path: string) => (await readText(path)).documents;
  const plays = (await read(data('tinyshakespeare', 'input.txt.gz')))[0]!.text;
  const speeches = await read(data('speeches', 'us-presidents.jsonl.gz'));
  return {
    installed: (await installedText({ split: 'train', maximumBytes: 1e8 })).documents.map(
      ({ text }) => text,
    ),
    tinyshakespeare: [plays.slice(0, Math.floor(plays.length * 0.9))],
    speeches: fourFifths(speeches),
    'tech-docs': fourFifths(await read(data('tech-docs', 'redis-doc.jsonl.gz'))),
    'source-code': [
      ...fourFifths(await read(data('source-code', 'redis-c.jsonl.gz'))),
      ...fourFifths(await read(data('source-code', 'requests-py.jsonl.gz'))),
    ],
  };
}

const controller = new AbortController();
process.once('SIGINT', () => controller.abort());
process.once('SIGTERM', () => controller.abort());
await mkdir(flags.work, { recursive: true });
const checkpoint = {
  read: (key: string) =>
    readFile(join(flags.work, key)).then(
      (bytes) => new Uint8Array(bytes),
      () => undefined,
    ),
  write: (key: string, bytes: Uint8Array) =>
    writeFileAtomic(join(flags.work, key), bytes),
};
let reported = 0;
const context = runContext({
  seed,
  threads: Number(flags.threads),
  signal: controller.signal,
  checkpoint,
  progress: ({ done, total, metrics }) => {
    if (Date.now() - reported < 10_000 && done < total) return;
    reported = Date.now();
    const numbers = Object.entries(metrics ?? {}).map(
      ([name, value]) => `${name} ${value.toPrecision(4)}`,
    );
    console.error(`${done}/${total} ${numbers.join(' ')}`);
  },
});

const texts = await sources();
const training = Object.values(texts).flat();
const heldOut = await installedText({ split: 'held-out', maximumBytes: 1e8 });
const bytes = Object.fromEntries(
  Object.entries(texts).map(([name, list]) => [
    name,
    list.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
  ]),
);
console.error('bytes to train on', bytes, 'held out', heldOut.bytes);
const quiet = { ...context, progress: () => {} };
const vocabulary = await trainVocabulary(training, options.vocabulary, quiet);
console.error('vocabulary', vocabulary.size);

const started = Date.now();
const heldOutTexts = heldOut.documents.map(({ text }) => text);
const trained = await trainLanguageModel(
  options,
  { training, heldOut: heldOutTexts },
  vocabulary,
  context,
);
const seconds = (Date.now() - started) / 1000;
const save = { precision: options.precision, existing: 'replace' } as const;
const name = 'nano';
await saveLanguageModel({ ...trained.model, name }, flags.output, save);

const model = await loadLanguageModel(flags.output);
const measured = await textPerplexity(model, heldOutTexts.join('\n'), quiet);
const record = {
  command: `node scripts/train-nano.ts --seed ${seed} --steps ${options.steps} --decay ${options.decay} --batch ${options.batch} --learning-rate ${options.learningRate} --threads ${flags.threads}`,
  options,
  seed,
  parameters: parameterCount(model.config),
  data: {
    bytes,
    trainingTokens: trained.trainingTokens,
    heldOutBytes: heldOut.bytes,
    heldOutTokens: trained.heldOutTokens,
    heldOutFiles: heldOut.files,
    hash: sha256(training.map(sha256).join()),
  },
  tokensSeen: options.steps * options.batch * options.context,
  history: trained.history,
  heldOut: measured,
};
await writeFileAtomic(
  join(flags.output, 'training.json'),
  `${JSON.stringify(record, null, 2)}\n`,
);
await writeFileAtomic(join(flags.output, 'README.md'), nanoCard(record));
console.log(JSON.stringify({ seconds, ...measured }, null, 2));
