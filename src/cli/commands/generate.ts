/** `assay generate MODEL --prompt TEXT`: continues a text. */

import { z } from 'zod';
import { generateText } from '../../nn/generate.ts';
import { runContext } from '../../nouns/run.ts';
import type { CommandSurroundings } from '../command.ts';
import { openModel } from '../open-model.ts';
import { parseCommand } from '../parse.ts';
import { runFlags } from '../run-flags.ts';

const flags = z.object({
  prompt: z.string().default('').describe('Text to continue'),
  tokens: z.int().min(1).max(100_000).default(100).describe('Tokens to write'),
  temperature: z
    .number()
    .min(0)
    .max(10)
    .default(0)
    .describe('0 always takes the likeliest token'),
  topP: z
    .number()
    .min(0.01)
    .max(1)
    .default(1)
    .describe('Draw from the likeliest tokens of this total probability'),
});

export async function generateCommand(
  args: readonly string[],
  { terminal, signal }: CommandSurroundings,
): Promise<number> {
  const values = parseCommand(
    {
      usage: 'assay generate MODEL --prompt TEXT',
      summary: 'Continues a text with a model.',
      positionals: ['MODEL'],
      required: 1,
      sections: [
        { title: 'Text', schema: flags },
        { title: 'Run', schema: runFlags },
      ],
    },
    args,
    terminal,
  );
  if (!values) return 0;
  const { prompt, tokens, temperature, topP } = values.of(flags);
  const run = values.of(runFlags);
  const model = await openModel(values.positionals[0]!, signal, terminal);
  const context = runContext({ seed: run.seed, threads: run.threads, signal });
  const text = await generateText(model, prompt, context, {
    maximumTokens: tokens,
    temperature,
    topProbability: topP,
  });
  terminal.print(run.json ? JSON.stringify({ text }) : text);
  return 0;
}
