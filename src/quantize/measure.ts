/** Measures a quantized model, or the untouched one, on the evaluation text. */

import { bitsPerWeight } from '../array/quantizer/size.ts';
import { parameterCount } from '../nn/decoder/parameters.ts';
import { measureDecodeSpeed } from '../nn/export/index.ts';
import { perplexity } from '../nn/perplexity.ts';
import type { QuantizedModel } from '../nn/quantized.ts';
import type { RunContext } from '../nouns/run.ts';
import type { Metric } from '../nouns/task.ts';
import { tensorBytes } from './artifact/layout.ts';
import { quantizedPerplexity } from './dequantized.ts';
import type { QuantizeInput } from './input.ts';

export const quantizeMetrics: readonly Metric[] = [
  {
    name: 'bitsPerWeight',
    title: 'Bits a weight',
    unit: 'bit',
    better: 'lower',
    digits: 2,
    description:
      'Stored bits for each weight of the quantized layers, with scales and zeros.',
  },
  {
    name: 'size',
    title: 'Size',
    unit: 'MB',
    better: 'lower',
    digits: 2,
    description: 'All tensors of the model as written; float16 for the untouched one.',
  },
  {
    name: 'perplexity',
    title: 'Perplexity',
    unit: '',
    better: 'lower',
    digits: 3,
    description:
      'On the evaluation text, by a sliding window with half its length shared.',
  },
  {
    name: 'perplexityIncrease',
    title: 'Increase',
    unit: '',
    better: 'lower',
    digits: 3,
    description: 'Perplexity less that of the untouched model.',
  },
  {
    name: 'weightError',
    title: 'Weight error',
    unit: '',
    better: 'lower',
    digits: 4,
    description:
      'Root of the squared error of the quantized weights relative to their squares.',
  },
  {
    name: 'secondsToQuantize',
    title: 'Quantizing',
    unit: 's',
    better: 'lower',
    digits: 1,
    description: 'Time that the method took on this machine.',
  },
  {
    name: 'tokensPerSecond',
    title: 'Decoding',
    unit: 'tokens/s',
    better: 'higher',
    digits: 0,
    description: 'Tokens decoded one by one in a second, through ONNX Runtime.',
  },
];

const references = new WeakMap<QuantizeInput, Promise<number>>();

/** Perplexity of the untouched model, measured once for an input. */
function referencePerplexity(input: QuantizeInput, context: RunContext): Promise<number> {
  const known = references.get(input);
  if (known) return known;
  const measuring = perplexity(input.model, [...input.evaluationTokens], context).then(
    (result) => result.perplexity,
  );
  references.set(input, measuring);
  measuring.catch(() => references.delete(input));
  return measuring;
}

/** The metrics of a model; of the untouched one when there is no output. */
export async function measureQuantized(
  input: QuantizeInput,
  output: QuantizedModel | undefined,
  context: RunContext,
): Promise<Record<string, number>> {
  const reference = await referencePerplexity(input, context);
  if (!output) {
    return {
      bitsPerWeight: 16,
      size: (2 * parameterCount(input.model.config)) / 1e6,
      perplexity: reference,
      perplexityIncrease: 0,
      weightError: 0,
      secondsToQuantize: 0,
      tokensPerSecond: await decodeSpeed(input.model, context),
    };
  }
  const ids = [...input.evaluationTokens];
  const measured = await quantizedPerplexity(output, ids, context);
  const matrices = Object.values(output.matrices);
  const { weightError, seconds } = output.report;
  return {
    bitsPerWeight: matrices.length > 0 ? bitsPerWeight(matrices) : 16,
    size: tensorBytes(output) / 1e6,
    perplexity: measured,
    perplexityIncrease: measured - reference,
    ...(typeof weightError === 'number' ? { weightError } : {}),
    ...(typeof seconds === 'number' ? { secondsToQuantize: seconds } : {}),
    tokensPerSecond: await decodeSpeed(output, context),
  };
}

async function decodeSpeed(
  model: Parameters<typeof measureDecodeSpeed>[0],
  context: RunContext,
): Promise<number> {
  const half = Math.min(32, Math.floor(model.config.contextLength / 2));
  const speed = await measureDecodeSpeed(model, {
    promptLength: half,
    steps: half,
    repeats: 3,
    threads: context.threads,
    signal: context.signal,
  });
  return speed.tokensPerSecond;
}
