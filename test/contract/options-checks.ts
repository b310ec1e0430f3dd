/** Contract checks on the options schema of a method. */

import { expect } from 'vitest';
import { InvalidInputError } from '../../src/error.ts';
import {
  optionFields,
  optionsJsonSchema,
  parseOptions,
} from '../../src/nouns/options.ts';
import { errorOf, type Subject } from './subject.ts';

export const optionsChecks: Record<string, (subject: Subject) => Promise<void>> = {
  'has a kebab-case name, a title and a summary': async ({ method }) => {
    expect(method.name).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
    expect(method.title.length).toBeGreaterThan(2);
    expect(method.summary).toMatch(/\.$/);
  },
  'has a default for every option': async ({ method }) => {
    expect(method.options.safeParse({}).success).toBe(true);
  },
  'describes every option': async ({ method }) => {
    for (const field of optionFields(method.options)) {
      expect(field.description, field.name).not.toBe('');
    }
  },
  'has options a command line and a form can offer': async ({ method }) => {
    const fields = optionFields(method.options);
    expect(new Set(fields.map(({ flag }) => flag)).size).toBe(fields.length);
    for (const field of fields) expect(field.flag).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
  },
  'has a JSON Schema that survives JSON': async ({ method }) => {
    const schema = optionsJsonSchema(method.options);
    expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
  },
  'has options whose values survive JSON': async ({ method, options }) => {
    const again = method.options.parse(JSON.parse(JSON.stringify(options)));
    expect(again).toEqual(options);
  },
  'refuses an unknown option by name': async ({ method }) => {
    const error = await errorOf(() =>
      parseOptions(method.options, { notAnOptionAtAll: 1 }),
    );
    expect(error).toBeInstanceOf(InvalidInputError);
    expect(String(error)).toContain('notAnOptionAtAll');
  },
  'refuses a value of the wrong type, naming the option': async ({ method }) => {
    for (const field of optionFields(method.options)) {
      const error = await errorOf(() =>
        parseOptions(method.options, { [field.name]: { wrong: true } }),
      );
      expect(error, field.name).toBeInstanceOf(InvalidInputError);
      expect(String(error)).toContain(field.name);
    }
  },
  'refuses a number out of range, naming the option and the range': async ({
    method,
  }) => {
    for (const field of optionFields(method.options)) {
      const { minimum, maximum } = field;
      const bounds = [
        minimum === null ? null : minimum - 1e17,
        maximum === null ? null : maximum + 1e17,
        field.type === 'integer' ? 0.5 : null,
      ];
      for (const value of bounds) {
        if (value === null) continue;
        const error = await errorOf(() =>
          parseOptions(method.options, { [field.name]: value }),
        );
        expect(error, `${field.name} = ${value}`).toBeInstanceOf(InvalidInputError);
      }
    }
  },
  'refuses a choice that is none, listing the choices': async ({ method }) => {
    for (const field of optionFields(method.options).filter(({ choices }) => choices)) {
      const error = await errorOf(() =>
        parseOptions(method.options, { [field.name]: 'none of these' }),
      );
      expect(error, field.name).toBeInstanceOf(InvalidInputError);
      for (const choice of field.choices!) expect(String(error)).toContain(`${choice}`);
    }
  },
};
