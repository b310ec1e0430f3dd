import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readArguments, readOptions } from './flags.ts';
import { helpText } from './help.ts';

const schema = z.object({
  bits: z
    .union([z.literal(4), z.literal(8)])
    .default(4)
    .describe('Bits of a weight'),
  groupSize: z.int().min(-1).max(4096).default(128).describe('Inputs that share a scale'),
  autoClip: z.boolean().default(true).describe('Search clipping ranges'),
  layers: z.array(z.string()).default([]).describe('Layers to change'),
  name: z.string().default('x').describe('A name'),
});

function read(...args: string[]) {
  return readOptions(schema, readArguments(args, [schema]).values);
}

describe('flags', () => {
  it('fill in the defaults', () => {
    expect(read()).toEqual({
      bits: 4,
      groupSize: 128,
      autoClip: true,
      layers: [],
      name: 'x',
    });
  });

  it('convert values, inline or apart, and negative numbers', () => {
    expect(read('--bits=8', '--group-size', '-1', '--layers', 'a,b')).toMatchObject({
      bits: 8,
      groupSize: -1,
      layers: ['a', 'b'],
    });
  });

  it('switch booleans off with --no-', () => {
    expect(read('--no-auto-clip').autoClip).toBe(false);
    expect(read('--auto-clip=false').autoClip).toBe(false);
    expect(read('--auto-clip').autoClip).toBe(true);
  });

  it('keep what is no flag as positionals, and all after --', () => {
    const { positionals } = readArguments(['model', '--bits', '8', '--', 'x'], [schema]);
    expect(positionals).toEqual(['model', 'x']);
  });

  it.each([
    [['--bits', '5'], '--bits: expected one of 4, 8, got 5'],
    [['--bits', 'four'], '--bits: expected one of 4, 8, got "four"'],
    [
      ['--group-size', '9999'],
      '--group-size: expected an integer from -1 to 4096, got 9999',
    ],
    [['--group-size', ''], '--group-size'],
    [['--group-sise', '8'], 'perhaps --group-size'],
    [['--zzzzzzzzzz', '8'], 'one of --bits'],
    [['--name'], '--name: expected a value, got nothing'],
    [['--name', '--bits'], '--name: expected a value, got nothing'],
  ])('refuse %j', (args, message) => {
    expect(() => read(...args)).toThrow(message);
  });
});

describe('help', () => {
  it('tells every flag, its choices, its default and what it means', () => {
    const text = helpText('assay x', 'Does x.', [{ title: 'Options', schema }]);
    expect(text).toContain('--bits <4|8>');
    expect(text).toContain('Bits of a weight (default 4)');
    expect(text).toContain('--layers <a,b>');
    expect(text).toContain('--auto-clip ');
  });
});
