/** Tokens a second of the shipped model: float32 against 4-bit weights, same graph, same run. */

import { measureDecodeSpeed } from '../src/nn/export/index.ts';
import { loadLanguageModel } from '../src/nn/load.ts';
import { resolveModelPath } from '../src/nn/shipped.ts';
import { runContext } from '../src/nouns/run.ts';
import { quantize, roundToNearest } from '../src/quantize/index.ts';

export async function run(): Promise<string[]> {
  const context = runContext();
  const model = await loadLanguageModel(resolveModelPath('nano'));
  const input = await quantize.load(quantize.inputs.parse({}), context);
  const options = roundToNearest.options.parse({ bits: 4 });
  const quantized = await roundToNearest.run(input, options, context);
  const settings = { promptLength: 64, steps: 64, threads: 2 };
  const float = await measureDecodeSpeed(model, settings);
  const packed = await measureDecodeSpeed(quantized, settings);
  const rate = (speed: typeof float) =>
    `${speed.tokensPerSecond.toFixed(0)} tokens/s, prompt ${speed.prefillTokensPerSecond.toFixed(0)} tokens/s`;
  return [
    `float32: ${rate(float)}`,
    `4 bits:  ${rate(packed)}`,
    `ratio:   ${(packed.tokensPerSecond / float.tokensPerSecond).toFixed(2)}`,
  ];
}
