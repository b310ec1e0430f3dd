/** GPT-2's byte-level alphabet and word pattern, and the tokenizer.json made of them. */

/**
 * GPT-2's split into words (Radford et al. 2019): English contractions, letters, numbers and
 * other signs, each with at most one space before it, and runs of white space.
 */
export const wordPattern =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/**
 * A printable character for each byte: itself where Latin-1 has a visible one, else the
 * next free one from U+0100 on.
 */
export const byteCharacters: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const visible =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad && byte <= 0xff);
    return String.fromCharCode(visible ? byte : next++);
  });
})();

/** The bytes in vocabulary order: by the code of their character, visible ones first. */
export const bytesInOrder: readonly number[] = byteCharacters
  .map((character, byte) => ({ code: character.charCodeAt(0), byte }))
  .sort((left, right) => left.code - right.code)
  .map(({ byte }) => byte);

export interface ByteLevelVocabulary {
  /** Token strings in the byte alphabet; the index is the id. */
  readonly tokens: readonly string[];
  /** Pairs in order of rank. */
  readonly merges: readonly (readonly [left: string, right: string])[];
  /** Tokens written out in text that stand for themselves, with their ids. */
  readonly specialTokens: readonly { readonly content: string; readonly id: number }[];
}

/** The text of a `tokenizer.json` that Hugging Face's libraries and llama.cpp's converter read. */
export function byteLevelTokenizerJson(vocabulary: ByteLevelVocabulary): string {
  const { tokens, merges, specialTokens } = vocabulary;
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true };
  const definition = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map(({ id, content }) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { ...byteLevel, use_regex: true },
    post_processor: { ...byteLevel, trim_offsets: false, use_regex: true },
    decoder: { ...byteLevel, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: merges.map((pair) => pair.join(' ')),
    },
  };
  return `${JSON.stringify(definition)}\n`;
}
