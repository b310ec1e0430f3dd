/**
 * The command line. Starting it loads nothing but this list: each command brings in what it
 * needs, so that help is instant and work without a database never opens one.
 */

import { AssayError, CancelledError } from '../error.ts';
import type { Command, CommandEntry } from './command.ts';
import { processTerminal, type Terminal } from './terminal.ts';

const commands: readonly CommandEntry[] = [
  {
    name: 'serve',
    usage: 'assay [serve] [--port 8473] [--host 127.0.0.1] [--no-open]',
    summary: 'Start the app: the papers, comparisons and results in your browser',
    load: async () => (await import('./commands/serve.ts')).serve,
  },
  {
    name: 'compare',
    usage: 'assay compare TASK MODEL [--calibration TEXT] [--eval TEXT]',
    summary: 'Run rival methods on your model and data, and recommend one',
    load: async () => (await import('./commands/compare.ts')).compareCommand,
  },
  {
    name: 'quantize',
    usage: 'assay quantize MODEL --method awq --bits 4 -o OUT',
    summary: 'Quantize a language model and write it in formats other programs load',
    load: async () => {
      const { applyCommand } = await import('./commands/apply.ts');
      return (args, surroundings) => applyCommand('quantize', args, surroundings);
    },
  },
  {
    name: 'reproduce',
    usage: 'assay reproduce PAPER [--full] [--seeds 0,1,2]',
    summary: "Run a paper's claim over seeds and say whether it holds",
    load: async () => (await import('./commands/reproduce.ts')).reproduceCommand,
  },
  {
    name: 'train',
    usage: 'assay train lm TEXT... -o OUT',
    summary: 'Train a small language model on text files',
    load: async () => (await import('./commands/train.ts')).trainCommand,
  },
  {
    name: 'generate',
    usage: 'assay generate MODEL --prompt TEXT',
    summary: 'Continue a text with a model',
    load: async () => (await import('./commands/generate.ts')).generateCommand,
  },
  {
    name: 'perplexity',
    usage: 'assay perplexity MODEL TEXT',
    summary: 'Measure how well a model predicts a text',
    load: async () => (await import('./commands/perplexity.ts')).perplexityCommand,
  },
  {
    name: 'logits',
    usage: 'assay logits MODEL --ids 1,15,7',
    summary: 'Print the logits after a sequence of token ids',
    load: async () => (await import('./commands/logits.ts')).logitsCommand,
  },
  {
    name: 'papers',
    usage: 'assay papers [--room quantize] [--search WORDS]',
    summary: 'List the papers of the catalog',
    load: async () => (await import('./commands/papers.ts')).papersCommand,
  },
  {
    name: 'methods',
    usage: 'assay methods [NAME]',
    summary: 'List the methods that run, or describe one with its options',
    load: async () => (await import('./commands/methods.ts')).methodsCommand,
  },
  {
    name: 'jobs',
    usage: 'assay jobs [cancel ID]',
    summary: 'List or cancel the jobs of the running app',
    load: async () => (await import('./commands/jobs.ts')).jobsCommand,
  },
  {
    name: 'golden',
    usage: 'assay golden DIR',
    summary: 'Hold the methods to files of expected numbers',
    load: async () => (await import('./commands/golden.ts')).goldenCommand,
  },
];

/** Runs the command that the arguments name. Sets the exit code; never throws. */
export async function runCommandLine(args: readonly string[]): Promise<void> {
  const terminal = processTerminal();
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(130);
    terminal.log('stopping; press Ctrl-C again to stop at once');
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    process.exitCode = await dispatch(args, terminal, controller.signal);
  } catch (error) {
    terminal.clearProgress();
    process.exitCode = report(error, terminal);
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

async function dispatch(
  args: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const [first, ...rest] = args;
  if (first === '--help' || first === '-h' || first === 'help') {
    terminal.print(overview());
    return 0;
  }
  const isFlag = first === undefined || first.startsWith('-');
  const entry = commands.find(({ name }) => name === (isFlag ? 'serve' : first));
  if (!entry) {
    terminal.log(`assay: there is no command "${first}"\n\n${overview()}`);
    return 2;
  }
  const command: Command = await entry.load();
  return command(isFlag ? args : rest, { terminal, signal });
}

function report(error: unknown, terminal: Terminal): number {
  if (error instanceof CancelledError) {
    terminal.log('assay: stopped; nothing half-written was left behind');
    return 130;
  }
  if (error instanceof AssayError) {
    terminal.log(`assay: ${error.message}`);
    return 1;
  }
  const trace = error instanceof Error ? error.stack : String(error);
  terminal.log(`assay: this is a defect of Assay, not of your input\n${trace}`);
  return 70;
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(
    ({ name, summary, usage }) =>
      `  ${name.padEnd(width)}  ${summary}\n  ${' '.repeat(width)}  ${usage}`,
  );
  return [
    'Assay runs machine-learning papers on your own models and data.',
    `Usage: assay COMMAND [options]; assay COMMAND --help tells its options.`,
    lines.join('\n'),
    'Every command takes --json for one line of machine-readable output on stdout.',
  ].join('\n\n');
}
