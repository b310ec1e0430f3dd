/** Stopping a command half-way: nothing half-written, and the same command goes on later. */

import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { assay, startAssay, temporaryDirectory } from './run.ts';

const quantize = [
  'quantize',
  'nano',
  ...['--method', 'awq', '--bits', '4', '-o', 'out', '--json'],
  ...['--calibration-samples', '4', '--sequence-length', '64'],
];

async function firstPiece(home: string): Promise<void> {
  for (let waited = 0; waited < 600; waited++) {
    const work = join(home, 'work');
    if (existsSync(work) && readdirSync(work).length > 0) return;
    await wait(50);
  }
  throw new Error('no piece of the work was stored within 30 s');
}

describe.each(['SIGINT', 'SIGKILL'] as const)('%s during a quantization', (signal) => {
  it('leaves no output, and the next run ends with the same bytes', async () => {
    const directory = temporaryDirectory();
    const { child, ended } = startAssay(quantize, directory);
    await firstPiece(join(directory, 'home'));
    child.kill(signal);
    const { code, stdout } = await ended;
    if (signal === 'SIGINT') expect(code).toBe(130);
    expect(stdout).toBe('');
    expect(readdirSync(directory).filter((name) => name !== 'home')).toEqual([]);

    const resumed = await assay(quantize, directory);
    expect(resumed.code, resumed.stderr).toBe(0);
    const whole = await assay(quantize, temporaryDirectory());
    const files = (text: string) => JSON.parse(text).files;
    expect(files(resumed.stdout)).toEqual(files(whole.stdout));
  }, 120_000);
});

it('a training that is stopped goes on where it stopped', async () => {
  const directory = temporaryDirectory();
  const text = Array.from({ length: 3000 }, (_, i) => `line ${i % 97} of the text`);
  writeFileSync(join(directory, 'text.txt'), text.join('\n'));
  const train = [
    ...['train', 'lm', 'text.txt', '-o', 'model', '--json', '--threads', '1'],
    ...['--layers', '1', '--hidden', '16', '--heads', '2', '--kv-heads', '1'],
    ...['--intermediate', '32', '--vocabulary', '300', '--context', '16'],
    ...['--batch', '2', '--steps', '400', '--warmup', '10', '--checkpoint-every', '20'],
    ...['--evaluate-every', '100', '--evaluate-batches', '2'],
  ];
  const { child, ended } = startAssay(train, directory);
  await firstPiece(join(directory, 'home'));
  child.kill('SIGKILL');
  await ended;
  expect(existsSync(join(directory, 'model'))).toBe(false);
  const resumed = await assay(train, directory);
  expect(resumed.code, resumed.stderr).toBe(0);
  expect(existsSync(join(directory, 'model', 'model.safetensors'))).toBe(true);
  expect(JSON.parse(resumed.stdout).history.at(-1).step).toBe(400);
}, 120_000);
