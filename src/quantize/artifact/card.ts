/** The README of a quantized model: what it is, how it was made, how to load it. */

import { bitsPerWeight } from '../../array/quantizer/size.ts';
import type { QuantizedModel } from '../../nn/quantized.ts';
import type { Recipe } from '../../nouns/task.ts';
import { gptqObstacle, type Layout, tensorBytes } from './layout.ts';

/** Numbers measured on the model, shown where they are known. */
export type CardMeasurements = Readonly<Record<string, number>>;

export function artifactCard(
  model: QuantizedModel,
  recipe: Recipe,
  layout: Layout,
  formats: readonly string[],
  measured: CardMeasurements = {},
): string {
  const matrices = Object.values(model.matrices);
  const megabytes = tensorBytes(model, layout) / 1e6;
  const options = Object.entries(recipe.options)
    .map(([name, value]) => `| ${name} | ${JSON.stringify(value)} |`)
    .join('\n');
  const { weightError } = model.report;
  const numbers = Object.entries({
    'Bits a weight, scales and zeros included': matrices.length
      ? bitsPerWeight(matrices).toFixed(3)
      : null,
    'Megabytes of tensors': megabytes.toFixed(3),
    'Relative error of the weights':
      typeof weightError === 'number' ? weightError.toFixed(5) : null,
    ...Object.fromEntries(
      Object.entries(measured).map(([name, value]) => [name, `${value}`]),
    ),
  })
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `| ${name} | ${value} |`)
    .join('\n');
  const inputs = Object.entries(recipe.inputs)
    .map(([name, value]) => `- ${name}: \`${JSON.stringify(value)}\``)
    .join('\n');
  return `# ${model.config.family} model quantized by ${recipe.method}

${matrices.length} linear layers hold integer codes; every other parameter is float16.
Made by Assay ${recipe.version} with seed ${recipe.seed}; \`recipe.json\` holds everything that
is needed to make it again.

## Method and options

| option of ${recipe.method} | value |
| --- | --- |
${options}

## Numbers

| | |
| --- | --- |
${numbers}

## Made from

${inputs}

## Loading

${loading(model, layout, formats)}
`;
}

function loading(
  model: QuantizedModel,
  layout: Layout,
  formats: readonly string[],
): string {
  const ways: string[] = [];
  if (formats.includes('safetensors')) {
    ways.push(
      layout === 'gptq'
        ? 'This directory is a GPTQ checkpoint: `AutoModelForCausalLM.from_pretrained(".")` ' +
            'in transformers, or `vllm serve .`.'
        : 'This directory holds the packed layout of Assay (`codes`, `scales`, `zeros` for ' +
            'each layer, and `act_scales` where the input is divided by them); read it ' +
            `with Assay. The GPTQ layout cannot hold this model: ${gptqObstacle(model)}.`,
    );
  }
  if (formats.includes('awq')) ways.push('`awq/` is an AutoAWQ checkpoint.');
  if (formats.includes('onnx')) {
    ways.push('`onnx-model/` is for ONNX Runtime and transformers.js.');
  }
  if (formats.includes('gguf')) {
    ways.push('`model.gguf` is for llama.cpp: `llama-cli -m model.gguf -p "..."`.');
  }
  return ways.join('\n\n');
}
