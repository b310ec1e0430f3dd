/** The task: make a language model's weights smaller at the least cost in perplexity. */

import { sha256 } from '../format/hash.ts';
import { bytesOf } from '../format/stored-values.ts';
import type { QuantizedModel } from '../nn/quantized.ts';
import { defineTask } from '../nouns/task.ts';
import { readArtifact } from './artifact/read.ts';
import { quantizeFormats, writeArtifact } from './artifact/write.ts';
import { defaultCandidates } from './candidates.ts';
import { quantizedDigest } from './digest.ts';
import type { QuantizeInput } from './input.ts';
import { loadInput, quantizeInputs } from './load-input.ts';
import { measureQuantized, quantizeMetrics } from './measure.ts';
import { quantizeBudget, recommendQuantization } from './recommend.ts';
import { sampleInput } from './sample.ts';

export const quantize = defineTask({
  name: 'quantize',
  room: 'quantize',
  title: 'Quantize a language model',
  summary:
    'Stores the linear layers of a language model in a few bits a weight, measures what ' +
    'that costs in perplexity and what it saves, and writes the model for other programs.',
  inputs: quantizeInputs,
  budget: quantizeBudget,
  metrics: quantizeMetrics,
  plot: { x: 'size', y: 'perplexity' },
  formats: quantizeFormats,
  load: loadInput,
  hashes: ({ model, calibrationTokens, evaluationTokens }: QuantizeInput) => ({
    model: model.fingerprint,
    calibration: sha256(bytesOf(calibrationTokens.data)),
    eval: sha256(bytesOf(evaluationTokens)),
  }),
  candidates: (input: QuantizeInput) => defaultCandidates(input),
  evaluate: (input: QuantizeInput, output: QuantizedModel | undefined, context) =>
    measureQuantized(input, output, context),
  recommend: recommendQuantization,
  write: writeArtifact,
  read: readArtifact,
  digest: quantizedDigest,
  sample: sampleInput,
});
