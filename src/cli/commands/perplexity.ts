/** `assay perplexity MODEL TEXT`: how well a model predicts a text. */

import { z } from 'zod';
import { readText } from '../../data/text.ts';
import { InvalidInputError } from '../../error.ts';
import { type PerplexityResult, textPerplexity } from '../../nn/perplexity.ts';
import type { QuantizedModel } from '../../nn/quantized.ts';
import { type RunContext, runContext } from '../../nouns/run.ts';
import { quantizedPerplexity } from '../../quantize/index.ts';
import type { CommandSurroundings } from '../command.ts';
import { openArtifact, openModel } from '../open-model.ts';
import { parseCommand } from '../parse.ts';
import { outputFlags } from '../run-flags.ts';

const flags = z.object({
  window: z
    .int()
    .min(0)
    .default(0)
    .describe("Tokens of a window; 0 for the model's context length"),
  stride: z
    .int()
    .min(0)
    .default(0)
    .describe('Tokens between windows; 0 for half a window'),
  ...outputFlags.shape,
});

export async function perplexityCommand(
  args: readonly string[],
  { terminal, signal }: CommandSurroundings,
): Promise<number> {
  const values = parseCommand(
    {
      usage: 'assay perplexity MODEL TEXT',
      summary:
        'Sliding-window perplexity of a text: a file, a directory or a .jsonl file of texts.',
      positionals: ['MODEL', 'TEXT'],
      required: 2,
      sections: [{ title: 'Options', schema: flags }],
    },
    args,
    terminal,
  );
  if (!values) return 0;
  const { window, stride, json } = values.of(flags);
  const [modelPath, textPath] = values.positionals as [string, string];
  const { documents } = await readText(textPath);
  const text = documents.map((document) => document.text).join('\n');
  const context = runContext({ signal, progress: (update) => terminal.progress(update) });
  const artifact = await openArtifact(modelPath);
  const quantizesActivations = artifact && Object.keys(artifact.activations).length > 0;
  if (quantizesActivations && (window > 0 || stride > 0)) {
    const expected = 'none for a model that quantizes activations';
    throw new InvalidInputError('--window and --stride', expected, 'one');
  }
  const result = quantizesActivations
    ? await artifactPerplexity(artifact, text, context)
    : await textPerplexity(await openModel(modelPath, signal, terminal), text, context, {
        ...(window > 0 ? { window } : {}),
        ...(stride > 0 ? { stride } : {}),
      });
  terminal.print(
    json
      ? JSON.stringify(result)
      : [
          `perplexity      ${result.perplexity.toFixed(4)}`,
          `nats per token  ${result.natsPerToken.toFixed(4)}`,
          `bits per byte   ${result.bitsPerByte?.toFixed(4) ?? 'unknown'}`,
          `tokens scored   ${result.tokensScored} (window ${result.window}, stride ${result.stride})`,
        ].join('\n'),
  );
  return 0;
}

/** With the inputs of linear layers on their grids, as the comparison measures it. */
async function artifactPerplexity(
  artifact: QuantizedModel,
  text: string,
  context: RunContext,
): Promise<PerplexityResult> {
  const { tokenizer, config } = artifact;
  if (!tokenizer) {
    throw new InvalidInputError('MODEL', 'a model with a tokenizer', 'none');
  }
  const ids = tokenizer.encode(text);
  if (ids.length < 2) {
    throw new InvalidInputError('TEXT', 'at least 2 tokens', `${ids.length}`);
  }
  const perplexity = await quantizedPerplexity(artifact, ids, context);
  const natsPerToken = Math.log(perplexity);
  const tokensScored = ids.length - 1;
  const bits = (natsPerToken * tokensScored) / Math.LN2;
  return {
    natsPerToken,
    perplexity,
    bitsPerByte: bits / Buffer.byteLength(text, 'utf8'),
    tokensScored,
    window: config.contextLength,
    stride: Math.ceil(config.contextLength / 2),
  };
}
