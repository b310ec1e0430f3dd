/** What the rooms are called and for whom each is, in words for the app. */

import type { Room } from '../nouns/paper.ts';

export interface RoomText {
  readonly title: string;
  readonly summary: string;
}

export const roomTexts: Readonly<Record<Room, RoomText>> = {
  quantize: {
    title: 'Quantize',
    summary: 'Store a model in fewer bits and lose as little of its quality as possible.',
  },
  prune: {
    title: 'Prune',
    summary: 'Take out the weights and layers that a model can do without.',
  },
  tune: {
    title: 'Tune',
    summary: 'Adapt a model to your task while training only a small part of it.',
  },
  merge: {
    title: 'Merge',
    summary: 'Combine the weights of several models into one.',
  },
  select: {
    title: 'Select',
    summary: 'Choose the examples worth training on from a large pool.',
  },
  value: {
    title: 'Value',
    summary: 'Say how much each example contributes to what a model learned.',
  },
  search: {
    title: 'Search',
    summary: 'Find the nearest vectors and the right documents, quickly.',
  },
  embed: {
    title: 'Embed',
    summary: 'Turn text, images and categories into vectors that are useful and small.',
  },
  label: {
    title: 'Label',
    summary: 'Learn from many examples when only a few of them are labelled.',
  },
  shift: {
    title: 'Shift',
    summary: 'Keep a model working when the data it meets no longer looks the same.',
  },
  continual: {
    title: 'Continual',
    summary: 'Learn one task after another without forgetting those before.',
  },
  federate: {
    title: 'Federate',
    summary: 'Train across many devices whose data never leaves them.',
  },
  predict: {
    title: 'Predict',
    summary: 'Predict from tables and event streams, with values you can rely on.',
  },
  architect: {
    title: 'Architect',
    summary: 'Find the shape of a network before paying for its training.',
  },
};
