/** Lines to take to a terminal or into a program. */

import type { MethodInfo, Options, TaskInfo } from '../api/types.ts';
import { flagOf, readFields } from '../form/fields.ts';
import { lastPart } from './format.ts';

/** The command that applies a method; its words are folded as a shell wants it. */
function applyCommand(
  task: string,
  method: string,
  flags: Options,
  input: string,
): string {
  const output = `./${lastPart(input) ?? 'model'}-${method}`;
  return folded([
    `assay ${task} ${quoted(input)}`,
    `--method ${method}`,
    ...Object.entries(flags)
      .filter(([, value]) => value !== null && value !== undefined && value !== '')
      .map(([name, value]) => flagText(name, value)),
    `-o ${quoted(output)}`,
  ]);
}

/** The command that makes the artifact of a compared rival again. */
export function artifactCommand(
  task: TaskInfo,
  method: MethodInfo,
  request: {
    readonly options: Options;
    readonly inputs: Options;
    readonly formats: readonly string[];
    readonly seed: number | undefined;
  },
): string {
  const [first, ...rest] = readFields(task.inputs);
  const input = first ? (request.inputs[first.name] ?? first.default) : undefined;
  const flags = {
    ...changed(readFields(method.options), request.options),
    ...changed(rest, request.inputs),
    ...(request.seed ? { seed: request.seed } : {}),
    ...(isDefaultFormat(task, request.formats) ? {} : { format: request.formats }),
  };
  return applyCommand(task.name, method.name, flags, String(input || './input'));
}

/** The option a reader is most likely to change: the first that has a default. */
function leadingOptions(method: MethodInfo): Options {
  const field = readFields(method.options).find(
    (candidate) => candidate.default !== null && candidate.kind !== 'boolean',
  );
  return field ? { [field.name]: field.default } : {};
}

/** A program that applies a method of a room and measures what came out. */
export function programFor(method: MethodInfo, task: TaskInfo): string {
  const name = camelCase(method.name);
  const input = firstInput(task);
  const options = Object.entries(leadingOptions(method))
    .map(([option, value]) => `${option}: ${JSON.stringify(value)}`)
    .join(', ');
  return `import { runContext } from 'assay';
import { ${name}, task } from 'assay/${task.room}';

const context = runContext({ seed: 0 });
const input = await task.load(task.inputs.parse({ ${input}: './${input}' }), context);
const options = ${name}.options.parse({ ${options} });
const output = await ${name}.run(input, options, context);
console.log(await task.evaluate(input, output, context));`;
}

/** The command that applies a method to something of the reader's. */
export function exampleCommand(method: MethodInfo, task: TaskInfo): string {
  const input = `./${firstInput(task)}`;
  return applyCommand(task.name, method.name, leadingOptions(method), input);
}

function firstInput(task: TaskInfo): string {
  return readFields(task.inputs)[0]?.name ?? 'input';
}

/** Values that are not the defaults of their fields. */
function changed(
  fields: readonly { readonly name: string; readonly default: unknown }[],
  values: Options,
): Options {
  return Object.fromEntries(
    fields
      .filter(({ name }) => name in values)
      .filter(
        (field) => JSON.stringify(values[field.name]) !== JSON.stringify(field.default),
      )
      .map(({ name }) => [name, values[name]]),
  );
}

function isDefaultFormat(task: TaskInfo, formats: readonly string[]): boolean {
  return formats.length === 0 || (formats.length === 1 && formats[0] === task.formats[0]);
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
  const text = Array.isArray(value) ? value.join(',') : String(value);
  return `--${flagOf(name)} ${quoted(text)}`;
}

/** Quoted for a POSIX shell where needed. */
function quoted(text: string): string {
  return /^[\w./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
