import { describe, expect, it } from 'vitest';
import { duration, progressLine } from './terminal.ts';

describe('progressLine', () => {
  it('shows share, label, metrics and the time left at this pace', () => {
    const update = { done: 3, total: 5, label: 'layer 3 of 5', metrics: { loss: 2.31 } };
    expect(progressLine(update, 30)).toBe(
      '[############--------] 60 %  layer 3 of 5  loss 2.310  20 s left',
    );
  });

  it('promises no time before there is something to go by', () => {
    expect(progressLine({ done: 0, total: 5, label: 'opening' }, 2)).toBe(
      '[--------------------]  0 %  opening',
    );
  });
});

describe('duration', () => {
  it.each([
    [0.4, '0 s'],
    [59.4, '59 s'],
    [200, '3 min 20 s'],
    [7500, '2 h 5 min'],
  ])('%d', (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});
