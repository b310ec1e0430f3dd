/**
 * A method's Zod options are the one source of its flags, form, messages and reference page:
 * a throwaway method is added, and all of them know it.
 */

import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readArguments, readOptions } from '../../src/cli/flags.ts';
import { helpText } from '../../src/cli/help.ts';
import { checkWork } from '../../src/lab/work-check.ts';
import { defineMethod } from '../../src/nouns/method.ts';
import * as quantize from '../../src/quantize/index.ts';
import { createRegistry } from '../../src/registry.ts';
import { methodInfo } from '../../src/server/views.ts';
import { readFields } from '../../web/src/form/fields.ts';
import { SchemaFields } from '../../web/src/form/schema-fields.tsx';
import { OptionReference } from '../../web/src/parts/option-reference.tsx';

const throwaway = defineMethod({
  name: 'throwaway',
  task: 'quantize',
  title: 'Throwaway',
  summary: 'Does nothing, and is here for this test.',
  options: z.object({
    spinRate: z
      .int()
      .min(3)
      .max(9)
      .default(7)
      .describe('Turns before it is thrown away.'),
    flavour: z.enum(['plain', 'bitter']).default('plain').describe('How it tastes.'),
    wrapped: z.boolean().default(true).describe('Whether it comes in paper.'),
  }),
  estimate: () => ({ seconds: 1, bytes: 1 }),
  run: async () => ({}),
});

const registry = createRegistry([
  { ...quantize, methods: [...quantize.methods, throwaway] },
]);
const info = JSON.parse(JSON.stringify(methodInfo(registry.method('throwaway'))));
const fields = readFields(info.options);

describe('options of a new method', () => {
  it('are flags of the command line, with help', () => {
    const args = ['--spin-rate', '4', '--flavour=bitter', '--no-wrapped'];
    const { values } = readArguments(args, [throwaway.options]);
    expect(readOptions(throwaway.options, values)).toEqual({
      spinRate: 4,
      flavour: 'bitter',
      wrapped: false,
    });
    const help = helpText('assay', 'x', [
      { title: 'Options', schema: throwaway.options },
    ]);
    expect(help).toContain('--spin-rate <integer>');
    expect(help).toContain('Turns before it is thrown away. (default 7)');
    expect(help).toContain('--flavour <plain|bitter>');
  });

  it('are fields of the form in the browser', () => {
    const html = renderToStaticMarkup(
      createElement(SchemaFields, {
        fields,
        draft: { spinRate: '7', flavour: 'plain', wrapped: true },
        errors: {},
        onChange: () => {},
      }),
    );
    expect(html).toMatch(/<input[^>]*name="spinRate"[^>]*value="7"/);
    expect(html).toContain('Turns before it is thrown away.');
    expect(html).toMatch(/<select[^>]*name="flavour"/);
    expect(html).toContain('bitter');
    expect(html).toMatch(/<input(?=[^>]*name="wrapped")[^>]*type="checkbox"/);
  });

  it('are checked with one message, on the command line and over HTTP alike', () => {
    const { values } = readArguments(['--spin-rate', '12'], [throwaway.options]);
    expect(() => readOptions(throwaway.options, values)).toThrow(
      '--spin-rate: expected an integer from 3 to 9, got 12',
    );
    expect(() =>
      checkWork(registry, {
        kind: 'artifact',
        request: {
          task: 'quantize',
          inputs: {},
          method: 'throwaway',
          options: { spinRate: 12 },
        },
      }),
    ).toThrow(/spinRate: expected an integer from 3 to 9, got 12/);
  });

  it('are documented on the reference page', () => {
    const html = renderToStaticMarkup(createElement(OptionReference, { fields }));
    expect(html).toContain('spinRate');
    expect(html).toContain('--spin-rate');
    expect(html).toContain('Turns before it is thrown away.');
    expect(html).toMatch(/from 3 to 9/);
    expect(html).toContain('How it tastes.');
  });
});
