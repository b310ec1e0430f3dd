/** The small language models that this room's claims are tested on, trained once a machine. */

import { mkdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { int32, type Tensor } from '../array/tensor.ts';
import { installedText } from '../data/installed-text.ts';
import { readTextDataset } from '../data/read-dataset.ts';
import { AssayError } from '../error.ts';
import { sha256 } from '../format/hash.ts';
import { openSafetensors } from '../format/safetensors-directory.ts';
import { writeSafetensors } from '../format/safetensors-writer.ts';
import { bytesOf } from '../format/stored-values.ts';
import { memoryModel } from '../nn/memory-model.ts';
import type { LanguageModel, LanguageModelConfig } from '../nn/model.ts';
import type { RunContext } from '../nouns/run.ts';
import { trainTokens } from '../train/train-tokens.ts';

/** Byte tokens of a text, told apart for training and testing. */
export interface ByteCorpus {
  readonly dataset: string;
  readonly training: Int32Array;
  readonly test: Int32Array;
}

const mostBytes = 1_200_000;

/**
 * Tiny Shakespeare where it is installed, else the text that came with the packages, so that
 * claims run on a fresh machine as well.
 */
export async function byteCorpus(signal?: AbortSignal): Promise<ByteCorpus> {
  const bytes = (texts: readonly { readonly text: string }[]): Int32Array =>
    Int32Array.from(
      Buffer.from(texts.map(({ text }) => text).join('\n'), 'utf8').subarray(
        0,
        mostBytes,
      ),
    );
  try {
    const training = await readTextDataset('tinyshakespeare', 'train', { signal });
    const test = await readTextDataset('tinyshakespeare', 'test', { signal });
    return {
      dataset: 'tinyshakespeare',
      training: bytes(training.documents),
      test: bytes(test.documents),
    };
  } catch (error) {
    if (!(error instanceof AssayError) || error.code !== 'not-found') throw error;
  }
  const training = await installedText({ split: 'train' });
  const test = await installedText({ split: 'held-out' });
  return {
    dataset: 'installed-text',
    training: bytes(training.documents),
    test: bytes(test.documents),
  };
}

/** LLaMA-style, bytes as tokens, context 64. */
export const smallConfiguration: LanguageModelConfig = {
  family: 'llama',
  vocabularySize: 256,
  hiddenSize: 64,
  intermediateSize: 192,
  layers: 3,
  heads: 4,
  keyValueHeads: 4,
  headSize: 16,
  contextLength: 64,
  norm: 'rms',
  normEpsilon: 1e-5,
  positions: 'rotary',
  ropeTheta: 10_000,
  ropeScaling: null,
  slidingWindow: null,
  activation: 'silu-gated',
  queryKeyValueBias: false,
  outputBias: false,
  queryKeyNorm: false,
  tiedHead: false,
  beginToken: null,
  endToken: null,
};

/** Optimizer steps of a claim's models. */
export function trainingSteps(full: boolean): number {
  return full ? 4000 : 1000;
}

/** How the models are trained, and with them what their cached files are named after. */
function trainingOptions(steps: number) {
  return {
    batch: 16,
    context: 64,
    steps,
    learningRate: 3e-3,
    warmup: Math.min(50, steps - 1),
    decay: 0,
    floor: 0.05,
    weightDecay: 0.1,
    beta1: 0.9,
    beta2: 0.95,
    clip: 1,
    evaluateEvery: 500,
    evaluateBatches: 4,
    checkpointEvery: 250,
  };
}

/**
 * A model trained from a seed on a corpus; read from the cache of the Assay home when it was
 * trained there before.
 */
export async function trainedSmallModel(
  corpus: ByteCorpus,
  seed: number,
  steps: number,
  context: RunContext,
): Promise<LanguageModel> {
  const options = trainingOptions(steps);
  const config = smallConfiguration;
  const data = sha256(bytesOf(corpus.training));
  const key = sha256(JSON.stringify([1, config, options, data, seed])).slice(0, 24);
  const directory = join(homeCache(), 'trainings');
  const path = join(directory, `${key}.safetensors`);
  const name = `${corpus.dataset} seed ${seed}`;
  if (await stat(path).catch(() => null)) {
    const source = await openSafetensors(path);
    const tensors: Record<string, Tensor> = {};
    for (const parameter of source.names) {
      tensors[parameter] = await source.read(parameter);
    }
    return memoryModel(config, tensors, null, name);
  }
  const own: RunContext = {
    ...context,
    seed,
    checkpoint: {
      read: (piece) => context.checkpoint.read(`${key}-${piece}`),
      write: (piece, bytes) => context.checkpoint.write(`${key}-${piece}`, bytes),
    },
    progress: (update) =>
      context.progress({ ...update, label: `training, seed ${seed}: ${update.label}` }),
  };
  const { parameters } = await trainTokens(config, corpus.training, null, options, own);
  await mkdir(directory, { recursive: true });
  await writeSafetensors(
    path,
    Object.entries(parameters).map(([parameter, tensor]) => ({
      name: parameter,
      ...tensor,
    })),
    { signal: context.signal },
  );
  return memoryModel(config, parameters, null, name);
}

function homeCache(): string {
  const given = process.env.ASSAY_HOME?.trim();
  return join(given ? resolve(given) : join(homedir(), '.assay'), 'cache');
}

/** Sequences from places spread evenly over a stream, `[samples, length]`. */
export function spreadSamples(
  stream: Int32Array,
  samples: number,
  length: number,
): Tensor<'int32'> {
  const tokens = int32([samples, length]);
  const room = stream.length - length;
  for (let sample = 0; sample < samples; sample++) {
    const start = Math.floor((room * sample) / Math.max(1, samples - 1));
    tokens.data.set(stream.subarray(start, start + length), sample * length);
  }
  return tokens;
}
