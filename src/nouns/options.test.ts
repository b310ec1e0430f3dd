import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { describeExpectation, flagName, optionFields, parseOptions } from './options.ts';

const schema = z.object({
  share: z.number().positive().max(1).default(0.5).describe('A share.'),
  size: z.number().positive().nullable().default(null).describe('A size.'),
  steps: z.int().min(1).default(3).describe('Steps.'),
  bits: z
    .union([z.literal(4), z.literal(8)])
    .default(4)
    .describe('Bits.'),
  note: z.string().default('').describe('A note.'),
});

describe('optionFields', () => {
  it('keeps the order and reads type, choices, range and default', () => {
    const fields = optionFields(schema);
    expect(fields.map(({ name }) => name)).toEqual(Object.keys(schema.shape));
    expect(fields[0]).toMatchObject({
      type: 'number',
      minimum: 0,
      above: true,
      maximum: 1,
    });
    expect(fields[1]).toMatchObject({ type: 'number', default: null, required: false });
    expect(fields[3]).toMatchObject({ choices: [4, 8], default: 4 });
  });
});

describe('describeExpectation', () => {
  it.each([
    ['share', 'a number above 0 and of at most 1'],
    ['size', 'a number above 0'],
    ['steps', 'an integer of at least 1'],
    ['bits', 'one of 4, 8'],
    ['note', 'a text'],
  ])('%s', (name, words) => {
    const field = optionFields(schema).find((each) => each.name === name)!;
    expect(describeExpectation(field)).toBe(words);
  });
});

describe('parseOptions', () => {
  it('fills in defaults and keeps what is given', () => {
    expect(parseOptions(schema, { steps: 7 })).toMatchObject({ steps: 7, size: null });
  });

  it('says what was expected and what came, under the name of the place', () => {
    expect(() =>
      parseOptions(schema, { size: 0 }, (name) => `--${flagName(name)}`),
    ).toThrow('--size: expected a number above 0, got 0');
    expect(() => parseOptions(schema, { sise: 1 })).toThrow(
      'sise: expected one of share',
    );
  });
});
