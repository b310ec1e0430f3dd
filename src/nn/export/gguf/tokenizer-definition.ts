/** The fields of a `tokenizer.json` that the exporters look at, and token lists from them. */

import type { LanguageModelConfig } from '../../model.ts';

export interface PreTokenizer {
  readonly type: string;
  readonly use_regex?: boolean;
  readonly add_prefix_space?: boolean;
  readonly prepend_scheme?: string;
  readonly individual_digits?: boolean;
  readonly pattern?: { readonly Regex?: string; readonly String?: string };
  readonly pretokenizers?: readonly PreTokenizer[];
}

export interface TokenizerDefinition {
  readonly model: {
    readonly type?: string;
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges?: readonly (string | readonly [string, string])[];
    readonly byte_fallback?: boolean;
    readonly unk_token?: string | null;
    readonly ignore_merges?: boolean;
  };
  readonly added_tokens?: readonly {
    readonly id: number;
    readonly content: string;
    readonly special?: boolean;
  }[];
  readonly normalizer?: unknown;
  readonly pre_tokenizer?: PreTokenizer | null;
  readonly post_processor?: {
    readonly type: string;
    readonly single?: readonly { readonly SpecialToken?: { readonly id: string } }[];
    readonly processors?: readonly TokenizerDefinition['post_processor'][];
  } | null;
}

/** llama.cpp's numbers for kinds of tokens. */
export const tokenTypes = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
} as const;

export interface TokenList {
  readonly tokens: string[];
  readonly types: Int32Array;
}

/** Tokens by id with their types; ids that nothing names are filled with unused tokens. */
export function tokenList(
  definition: TokenizerDefinition,
  config: LanguageModelConfig,
): TokenList {
  const { model, added_tokens: added = [] } = definition;
  const tokens: string[] = Array.from(
    { length: config.vocabularySize },
    (_, id) => `[PAD${id}]`,
  );
  const types = new Int32Array(tokens.length).fill(tokenTypes.unused);
  for (const [token, id] of Object.entries(model.vocab)) {
    if (id >= tokens.length) continue;
    tokens[id] = token;
    types[id] = tokenTypes.normal;
  }
  for (const { id, content, special } of added) {
    if (id >= tokens.length) continue;
    tokens[id] = content;
    types[id] = special ? tokenTypes.control : tokenTypes.userDefined;
  }
  return { tokens, types };
}

/** Merges as pairs; files write them as two words or as two strings. */
export function mergePairs(
  definition: TokenizerDefinition,
): (readonly [left: string, right: string])[] {
  return (definition.model.merges ?? []).map((merge) => {
    if (typeof merge !== 'string') return merge;
    const space = merge.indexOf(' ', 1);
    return [merge.slice(0, space), merge.slice(space + 1)] as const;
  });
}

/** Whether encoding puts a special token before the text. */
export function addsBegin(processor: TokenizerDefinition['post_processor']): boolean {
  if (!processor) return false;
  if (processor.processors) return processor.processors.some(addsBegin);
  const [first] = processor.single ?? [];
  return processor.type === 'TemplateProcessing' && first?.SpecialToken !== undefined;
}
