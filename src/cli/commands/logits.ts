/** `assay logits MODEL --ids 1,15,7`: the logits of the last position, to hold against other runtimes. */

import { z } from 'zod';
import { InvalidInputError } from '../../error.ts';
import { lastLogits } from '../../nn/generate.ts';
import { runContext } from '../../nouns/run.ts';
import type { CommandSurroundings } from '../command.ts';
import { openModel } from '../open-model.ts';
import { parseCommand } from '../parse.ts';
import { outputFlags } from '../run-flags.ts';

const flags = z.object({
  ids: z.array(z.string()).describe('Token ids, as 1,15,7'),
  top: z.int().min(1).max(1000).default(10).describe('How many to show, largest first'),
  ...outputFlags.shape,
});

export async function logitsCommand(
  args: readonly string[],
  { terminal, signal }: CommandSurroundings,
): Promise<number> {
  const values = parseCommand(
    {
      usage: 'assay logits MODEL --ids 1,15,7',
      summary: 'Prints what the model predicts after these tokens.',
      positionals: ['MODEL'],
      required: 1,
      sections: [{ title: 'Options', schema: flags }],
    },
    args,
    terminal,
  );
  if (!values) return 0;
  const { ids, top, json } = values.of(flags);
  const model = await openModel(values.positionals[0]!, signal, terminal);
  const tokens = ids.map((text) => readId(text, model.config.vocabularySize));
  const logits = await lastLogits(model, tokens, runContext({ signal }));
  if (json) {
    terminal.print(JSON.stringify({ logits: Array.from(logits) }));
    return 0;
  }
  const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]!);
  const lines = order.slice(0, top).map((id) => {
    const piece = model.tokenizer ? JSON.stringify(model.tokenizer.decode([id])) : '';
    return `${String(id).padStart(7)}  ${logits[id]!.toFixed(4).padStart(9)}  ${piece}`;
  });
  terminal.print(lines.join('\n'));
  return 0;
}

function readId(text: string, vocabularySize: number): number {
  const id = Number(text);
  if (Number.isInteger(id) && id >= 0 && id < vocabularySize && text.trim() !== '')
    return id;
  throw new InvalidInputError('--ids', `token ids from 0 to ${vocabularySize - 1}`, text);
}
