/** Sessions: types, buffers, errors, worker threads, silence. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './onnx/index.ts';
import { openSession } from './session.ts';
import { type AnyTensor, type DataType, float32 } from './tensor.ts';

/** A model that returns its inputs of several types. */
function echo(types: readonly DataType[]): Uint8Array {
  const graph = new GraphBuilder('echo');
  for (const type of types) {
    graph.input(`in_${type}`, type, [3]);
    graph.node('Identity', [`in_${type}`], {}, { outputs: [`out_${type}`] });
    graph.output(`out_${type}`, type, [3]);
  }
  return graph.encode();
}

const samples: AnyTensor[] = [
  { dtype: 'float32', shape: [3], data: Float32Array.of(1.5, -2, Number.NaN) },
  { dtype: 'float64', shape: [3], data: Float64Array.of(0.1, -2, 1e300) },
  { dtype: 'float16', shape: [3], data: Float16Array.of(1.5, -2, 65504) },
  { dtype: 'int8', shape: [3], data: Int8Array.of(-128, 0, 127) },
  { dtype: 'uint8', shape: [3], data: Uint8Array.of(0, 1, 255) },
  { dtype: 'int16', shape: [3], data: Int16Array.of(-32768, 0, 32767) },
  { dtype: 'uint16', shape: [3], data: Uint16Array.of(0, 1, 65535) },
  { dtype: 'int32', shape: [3], data: Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1) },
  { dtype: 'uint32', shape: [3], data: Uint32Array.of(0, 1, 2 ** 32 - 1) },
  { dtype: 'int64', shape: [3], data: BigInt64Array.of(-(2n ** 63n), 0n, 5n) },
  { dtype: 'uint64', shape: [3], data: BigUint64Array.of(0n, 1n, 2n ** 64n - 1n) },
  { dtype: 'bool', shape: [3], data: Uint8Array.of(0, 1, 1) },
];

describe('openSession', () => {
  it('passes every type in and out, to new tensors and to given ones', async () => {
    const session = await openSession(echo(samples.map((sample) => sample.dtype)), {
      threads: 1,
    });
    const feeds = Object.fromEntries(samples.map((s) => [`in_${s.dtype}`, s]));
    const fresh = await session.run(feeds);
    const given = Object.fromEntries(
      samples.map((s) => [`out_${s.dtype}`, { ...s, data: s.data.slice().reverse() }]),
    ) as Record<string, AnyTensor>;
    const filled = await session.run(feeds, { outputs: given });
    for (const sample of samples) {
      const name = `out_${sample.dtype}`;
      expect(fresh[name]).toEqual(sample);
      expect(filled[name]).toBe(given[name]);
      expect(given[name]).toEqual(sample);
    }
    await session.release();
    await session.release();
    await expect(session.run(feeds)).rejects.toThrow(/session: expected an open session/);
  });

  it('names missing, unknown and misshapen inputs', async () => {
    const session = await openSession(echo(['float32']));
    await expect(session.run({})).rejects.toThrow(
      'in_float32: expected a tensor, got nothing',
    );
    const x = float32([3]);
    await expect(session.run({ in_float32: x, other: x })).rejects.toThrow(
      'other: expected an input of the model (in_float32), got unknown',
    );
    await expect(session.run({ in_float32: float32([4]) })).rejects.toThrow(
      /model failed/,
    );
    const wrong = { dtype: 'bfloat16', shape: [3], data: new Uint16Array(3) } as const;
    await expect(session.run({ in_float32: wrong })).rejects.toThrow(/got bfloat16/);
    await session.release();
  });

  it('says why a model cannot be loaded', async () => {
    await expect(openSession(new Uint8Array(8))).rejects.toThrow(/cannot load the model/);
    const graph = new GraphBuilder();
    graph.input('x', 'float32', [1]);
    graph.node('NoSuchOperator', ['x'], {}, { outputs: ['y'] });
    graph.output('y', 'float32', [1]);
    await expect(openSession(graph.encode())).rejects.toThrow(/NoSuchOperator/);
    await expect(openSession(echo(['bool']), { threads: 0 })).rejects.toThrow(
      'threads: expected a positive integer, got 0',
    );
  });

  const modules = JSON.stringify({
    compile: new URL('./compile.ts', import.meta.url).href,
    jax: new URL('./jax.ts', import.meta.url).href,
    tensor: new URL('./tensor.ts', import.meta.url).href,
  });
  const program = `
    const modules = ${modules};
    const { compile } = await import(modules.compile);
    const { numpy, grad } = await import(modules.jax);
    const { float32 } = await import(modules.tensor);
    const f = compile(grad((x) => numpy.sum(numpy.square(numpy.tanh(x)))), { threads: 1 });
    const { data } = await f(float32([2], Float32Array.of(0.5, -1)));
    const report = [...data];
  `;
  const slope = (x: number) => 2 * Math.tanh(x) * (1 - Math.tanh(x) ** 2);

  it('runs in several worker threads at once', async () => {
    const source = `import('node:worker_threads').then(async ({ parentPort }) => {
      ${program} parentPort.postMessage(report); await f.dispose(); });`;
    const results = await Promise.all(
      [1, 2].map(
        () =>
          new Promise<number[]>((resolve, reject) => {
            const worker = new Worker(source, { eval: true });
            worker.once('message', resolve);
            worker.once('error', reject);
          }),
      ),
    );
    for (const [first, second] of results) {
      expect(first).toBeCloseTo(slope(0.5), 5);
      expect(second).toBeCloseTo(slope(-1), 5);
    }
  });

  it('prints nothing of its own and lets the process end', async () => {
    const source = `${program} console.log(JSON.stringify(report));`;
    const args = ['--input-type=module', '--eval', source];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
    const [first] = JSON.parse(stdout) as number[];
    expect(first).toBeCloseTo(slope(0.5), 5);
    expect(stderr).toBe('');
  });
});
