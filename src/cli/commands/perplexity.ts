/** `assay perplexity MODEL TEXT`: how well a model predicts a text. */

import { z } from 'zod';
import { readText } from '../../data/text.ts';
import { textPerplexity } from '../../nn/perplexity.ts';
import { runContext } from '../../nouns/run.ts';
import type { CommandSurroundings } from '../command.ts';
import { openModel } from '../open-model.ts';
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
  const model = await openModel(modelPath, signal);
  const { documents } = await readText(textPath);
  const text = documents.map((document) => document.text).join('\n');
  const context = runContext({ signal, progress: (update) => terminal.progress(update) });
  const result = await textPerplexity(model, text, context, {
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
