/** The model card of `models/nano`, from the record of its training. */

export interface NanoRecord {
  readonly command: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly parameters: number;
  readonly data: {
    readonly bytes: Readonly<Record<string, number>>;
    readonly trainingTokens: number;
    readonly heldOutBytes: number;
    readonly heldOutTokens: number;
  };
  readonly tokensSeen: number;
  readonly heldOut: {
    readonly perplexity: number;
    readonly natsPerToken: number;
    readonly bitsPerByte: number | null;
    readonly tokensScored: number;
    readonly window: number;
    readonly stride: number;
  };
}

const sources: Readonly<Record<string, string>> = {
  installed:
    "`lib.*.d.ts` of TypeScript (Apache-2.0), declarations of `@types/node` (MIT), READMEs of the project's own dependencies (their packages' permissive licences)",
  tinyshakespeare: 'Tiny Shakespeare, first 90 % (public domain)',
  speeches: 'inaugural and State of the Union addresses, four fifths (public domain)',
  'tech-docs':
    'pages of the Redis documentation, four fifths (CC BY-SA 4.0, the redis-doc authors)',
  'source-code':
    'C files of Redis 7.2.4 (BSD-3-Clause) and Python files of Requests (Apache-2.0), four fifths',
};

/** The card as Markdown. */
export function nanoCard(record: NanoRecord): string {
  const { data, heldOut, options } = record;
  const rows = Object.entries(data.bytes).map(
    ([name, bytes]) => `| ${sources[name] ?? name} | ${(bytes / 1e6).toFixed(2)} |`,
  );
  const millions = (count: number) => (count / 1e6).toFixed(2);
  return `# nano

A LLaMA-style language model of ${millions(record.parameters)} million parameters that comes with
Assay, so that every command has a real model to work on without a download. It knows the
look of type declarations, Markdown, C and speeches. It is a test subject for compression,
not a writer: do not use its text for anything.

| | |
| --- | --- |
| shape | ${options.layers} blocks, width ${options.hidden}, ${options.heads} heads (${options.kvHeads} for keys and values), feed-forward ${options.intermediate}, tied head |
| vocabulary | ${options.vocabulary} tokens, byte-level BPE trained on the training text |
| context | ${options.context} tokens |
| weights | ${options.precision} safetensors, in the layout \`LlamaForCausalLM\` of transformers loads |
| training | AdamW, ${options.steps} steps of ${options.batch} x ${options.context} tokens (${millions(record.tokensSeen)} million; the text has ${millions(data.trainingTokens)} million), seed ${record.seed}, no averaging of weights |

## Measured

On the held-out part of the installed text (${data.heldOutBytes} bytes in files that were not
trained on, joined by line breaks), as saved, with a window of ${heldOut.window} tokens and a stride of
${heldOut.stride}:

| perplexity per token | nats per token | bits per byte | tokens scored |
| --- | --- | --- | --- |
| ${heldOut.perplexity.toFixed(3)} | ${heldOut.natsPerToken.toFixed(4)} | ${heldOut.bitsPerByte?.toFixed(4)} | ${heldOut.tokensScored} |

## Data

Split by file: a file of the installed text is held out when the SHA-256 of its path is
divisible by ten; of the other collections every fifth document, or the last tenth, was left
out of training.

| text | MB |
| --- | --- |
${rows.join('\n')}

## Made by (Node.js 24)

\`\`\`
${record.command}
\`\`\`

A model of one's own with the same options: \`assay train lm TEXT... -o OUT\` with the flags
\`--steps ${options.steps} --decay ${options.decay} --warmup ${options.warmup} --learning-rate ${options.learningRate} --batch ${options.batch}\`; the rest are its defaults.

\`training.json\` beside this file holds every option, the losses on the way and the hash of the
texts.

## Licence

The weights and the tokenizer were made by this project and are under its licence. None of
the texts is part of the model's folder.
`;
}
