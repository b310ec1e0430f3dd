/** Help texts, from the same schemas that parse the flags. */

import type { OptionsSchema } from '../nouns/method.ts';
import { type OptionField, optionFields } from '../nouns/options.ts';

export interface HelpSection {
  readonly title: string;
  readonly schema: OptionsSchema;
}

/** Usage line, summary and one aligned block of flags for each section. */
export function helpText(
  usage: string,
  summary: string,
  sections: readonly HelpSection[],
): string {
  const blocks = sections.map(({ title, schema }) => {
    const fields = optionFields(schema);
    const width = Math.max(...fields.map((field) => flagUsage(field).length));
    const lines = fields.map(
      (field) => `  ${flagUsage(field).padEnd(width)}  ${fieldNote(field)}`,
    );
    return `${title}\n${lines.join('\n')}`;
  });
  return [`Usage: ${usage}`, summary, ...blocks].join('\n\n');
}

function flagUsage(field: OptionField): string {
  const value = field.choices?.join('|') ?? (field.type === 'list' ? 'a,b' : field.type);
  return field.type === 'boolean' ? `--${field.flag}` : `--${field.flag} <${value}>`;
}

function fieldNote(field: OptionField): string {
  const initial =
    field.default === null ? '' : ` (default ${JSON.stringify(field.default)})`;
  return `${field.description}${field.required ? ' (required)' : initial}`;
}
