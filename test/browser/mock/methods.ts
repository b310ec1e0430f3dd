/** The task and methods the pretend server offers, in the shapes the real schemas produce. */

import type { MethodInfo, TaskInfo } from '../../../src/server/schema.ts';

const bits = {
  default: 4,
  description: 'Bits of each stored weight.',
  type: 'integer',
  minimum: 2,
  maximum: 8,
};

const groupSize = {
  default: 32,
  description: 'Neighbouring weights that share one scale; 0 for a whole row.',
  type: 'integer',
  minimum: 0,
  maximum: 1024,
};

function flat(properties: Record<string, unknown>, required: string[] = []) {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties,
    required,
    additionalProperties: false,
  };
}

export const methods: MethodInfo[] = [
  {
    name: 'round-to-nearest',
    task: 'quantize',
    paper: null,
    status: 'runs',
    title: 'Round to nearest',
    summary: 'Rounds every weight to the nearest level of its group. Needs no data.',
    options: flat({
      bits,
      groupSize,
      symmetric: {
        default: false,
        description: 'Levels symmetric around zero, without a zero point.',
        type: 'boolean',
      },
    }),
  },
  {
    name: 'integer-quantization',
    task: 'quantize',
    paper: 'integer-quantization',
    status: 'runs',
    title: 'Integer quantization',
    summary: 'Affine 8-bit integers with one scale per channel, ranges from sample data.',
    options: flat({
      bits: { ...bits, default: 8 },
      granularity: {
        default: 'channel',
        description: 'What shares one scale.',
        type: 'string',
        enum: ['tensor', 'channel', 'group'],
      },
    }),
  },
  {
    name: 'awq',
    task: 'quantize',
    paper: 'awq',
    status: 'runs',
    title: 'Activation-aware weight quantization',
    summary:
      'Scales up the columns that meet large activations before rounding. Needs a little text.',
    options: flat({
      bits,
      groupSize,
      clip: {
        default: true,
        description: 'Search a clipping range for each group.',
        type: 'boolean',
      },
      gridPoints: {
        default: 20,
        description: 'Scaling exponents tried for each layer.',
        type: 'integer',
        minimum: 1,
        maximum: 100,
      },
      damping: {
        default: 0.01,
        description: 'Added to activation sizes, relative to their mean.',
        type: 'number',
        exclusiveMinimum: 0,
        maximum: 1,
      },
    }),
  },
];

export const task: TaskInfo = {
  name: 'quantize',
  room: 'quantize',
  title: 'Quantize a language model',
  summary:
    'Stores the weights of a language model in fewer bits and measures what is lost.',
  inputs: flat({
    model: {
      default: 'models/nano',
      description: 'Directory of a Hugging Face model.',
      type: 'string',
      minLength: 1,
    },
    calibration: {
      default: null,
      description: 'Text that methods may look at; the shipped one when empty.',
      anyOf: [{ type: 'string' }, { type: 'null' }],
    },
    eval: {
      default: null,
      description:
        'Held-out text that perplexity is measured on; the shipped one when empty.',
      anyOf: [{ type: 'string' }, { type: 'null' }],
    },
    context: {
      default: 256,
      description: 'Tokens in each window of the evaluation.',
      type: 'integer',
      minimum: 16,
      maximum: 4096,
    },
  }),
  budget: flat({
    maxSize: {
      default: null,
      description: 'Largest acceptable size in megabytes.',
      anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { type: 'null' }],
    },
    maxPerplexityIncrease: {
      default: null,
      description: 'Largest acceptable rise of perplexity, in percent.',
      anyOf: [{ type: 'number', minimum: 0 }, { type: 'null' }],
    },
  }),
  metrics: [
    metric(
      'bitsPerWeight',
      'Bits per weight',
      'bit',
      'lower',
      2,
      'Stored bits, scales included, over the number of weights.',
    ),
    metric('size', 'Size', 'MB', 'lower', 2, 'Size of the whole model on disk.'),
    metric(
      'perplexity',
      'Perplexity',
      '',
      'lower',
      3,
      'How surprised the model is by the held-out text.',
    ),
    metric(
      'increase',
      'Increase',
      '%',
      'lower',
      2,
      'Rise of perplexity over the untouched model.',
    ),
    metric(
      'weightError',
      'Weight error',
      '',
      'lower',
      4,
      'Relative distance of the weights to the original ones.',
    ),
    metric(
      'speed',
      'Speed',
      'tokens/s',
      'higher',
      0,
      'Tokens generated a second, batch of one.',
    ),
  ],
  plot: { x: 'size', y: 'perplexity' },
  methods: methods.map((method) => method.name),
  candidates: methods.map((method) => ({ method: method.name, options: {} })),
  formats: ['safetensors', 'gguf', 'onnx'],
};

function metric(
  name: string,
  title: string,
  unit: string,
  better: 'lower' | 'higher',
  digits: number,
  description: string,
): TaskInfo['metrics'][number] {
  return { name, title, unit, better, digits, description };
}
