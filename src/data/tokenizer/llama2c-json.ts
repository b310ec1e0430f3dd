/** A llama2.c vocabulary as the `tokenizer.json` that says the same, as SentencePiece's are converted. */

import type { ScoredVocabulary } from './llama2c.ts';

/** How SentencePiece writes a space. */
const spaceMark = '\u2581';
const specialNames = ['<unk>', '<s>', '</s>'];
const firstText = specialNames.length + 256;

/**
 * The text of a `tokenizer.json`: every way to put a piece together from two others is a
 * merge, ranked by the piece's score. Null when JSON cannot say it: pieces that are not
 * UTF-8, occur twice or contain the mark that stands for a space.
 */
export function llama2cTokenizerJson(vocabulary: ScoredVocabulary): string | null {
  const { pieces, scores } = vocabulary;
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const ids = new Map<string, number>();
  for (const [id, bytes] of pieces.entries()) {
    let piece: string;
    try {
      piece = specialNames[id] ?? decoder.decode(bytes);
    } catch {
      return null;
    }
    if (piece.includes(spaceMark) || piece === '') return null;
    const written = id < firstText ? piece : piece.replaceAll(' ', spaceMark);
    if (ids.has(written)) return null;
    ids.set(written, id);
  }
  const ranked: { score: number; id: number; pair: [string, string] }[] = [];
  for (const [piece, id] of ids) {
    if (id < firstText) continue;
    const characters = [...piece];
    for (let cut = 1; cut < characters.length; cut++) {
      const pair: [string, string] = [
        characters.slice(0, cut).join(''),
        characters.slice(cut).join(''),
      ];
      if (pair.every((part) => (ids.get(part) ?? 0) >= firstText)) {
        ranked.push({ score: scores[id]!, id, pair });
      }
    }
  }
  ranked.sort((a, b) => b.score - a.score || a.id - b.id);
  const definition = {
    version: '1.0',
    truncation: null,
    padding: null,
    // Not `<unk>`: texts with that word would come out as one token, as they do not here.
    added_tokens: specialNames.slice(1).map((content, index) => ({
      id: index + 1,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: spaceMark },
        { type: 'Replace', pattern: { String: ' ' }, content: spaceMark },
      ],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: spaceMark }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: '<unk>',
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(ids),
      merges: ranked.map(({ pair }) => pair.join(' ')),
    },
  };
  return `${JSON.stringify(definition)}\n`;
}
