/** Lines to take to a terminal or into a program. */

import type { MethodInfo, Options } from '../api/types.ts';
import { flagOf, readFields } from '../form/fields.ts';

/** `assay quantize ./model --method awq --bits 4 -o ./model-awq`. */
export function applyCommand(
  task: string,
  method: string,
  options: Options,
  input = './model',
): string {
  const flags = Object.entries(options)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => flagText(name, value));
  const output = `./${lastPart(input)}-${method}`;
  const words = [`assay ${task} ${quoted(input)}`, `--method ${method}`, ...flags];
  return folded([...words, `-o ${quoted(output)}`]);
}

/** The option a reader is most likely to change: the first that has a default. */
export function leadingOptions(method: MethodInfo): Options {
  const field = readFields(method.options).find(
    (candidate) => candidate.default !== null && candidate.kind !== 'boolean',
  );
  return field ? { [field.name]: field.default } : {};
}

/** A program that does the same as the command. */
export function programFor(method: MethodInfo): string {
  const name = camelCase(method.name);
  const task = `${camelCase(method.task)}Task`;
  const options = Object.entries(leadingOptions(method))
    .map(([option, value]) => `${option}: ${JSON.stringify(value)}`)
    .join(', ');
  return `import { runContext } from 'assay';
import { ${name}, ${task} } from 'assay/${method.task}';

const context = runContext({ seed: 0 });
const inputs = ${task}.inputs.parse({ model: './model' });
const input = await ${task}.load(inputs, context);
const options = ${name}.options.parse({ ${options} });
const output = await ${name}.run(input, options, context);
console.log(await ${task}.evaluate(input, output, context));`;
}

/** `round-to-nearest` -> `roundToNearest`. */
function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Words on lines of at most 76 characters, continued as a shell wants it. */
function folded(words: readonly string[]): string {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 74) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(lines.length === 0 ? word : `  ${word}`);
    }
  }
  return lines.join(' \\\n');
}

function flagText(name: string, value: unknown): string {
  if (value === true) return `--${flagOf(name)}`;
  if (value === false) return `--no-${flagOf(name)}`;
  return `--${flagOf(name)} ${quoted(Array.isArray(value) ? value.join(',') : String(value))}`;
}

/** Quoted for a POSIX shell where needed. */
function quoted(text: string): string {
  return /^[\w./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function lastPart(path: string): string {
  return (
    path
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .at(-1) ?? 'model'
  );
}
