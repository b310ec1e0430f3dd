/** Made-up papers for tests of the feed. */

import type { Paper } from '../../src/nouns/paper.ts';

function paper(
  slug: string,
  date: string,
  title: string,
  authors: string[],
  summary: string,
  rest: Partial<Paper> = {},
): Paper {
  return {
    slug,
    date,
    title,
    authors,
    summary,
    arxiv: '2401.00001',
    room: 'predict',
    claim: 'It works.',
    status: 'spec',
    ...rest,
  };
}

/** Newest first. */
export const papers: readonly Paper[] = [
  paper(
    'shift-paper',
    '2024-05-01',
    'Shifting Letters for Guessing',
    ['Ada Smith', 'Jürgen Müller'],
    'Letters are moved by a number of places.',
    { status: 'runs' },
  ),
  paper(
    'weights',
    '2024-05-01',
    'Activation-aware Quantization of Weights',
    ['Bo Li'],
    'Scales salient channels before rounding.',
    { room: 'quantize' },
  ),
  paper(
    'rounding',
    '2023-01-01',
    'On Rounding',
    ['Cy Smithson'],
    'Weights and activations are rounded to integers after quantization.',
    { room: 'quantize', venue: 'Somewhere 2023' },
  ),
];
