/** The WebGPU provider, run by SwiftShader in software where Chromium's files are installed. */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const chromium = '/usr/lib/chromium';
const driver = `${chromium}/vk_swiftshader_icd.json`;
const present = existsSync(driver) && existsSync(`${chromium}/libvulkan.so.1`);

it.skipIf(!present)(
  'gives the same loss and gradients as the CPU (skipped without Chromium)',
  async () => {
    const module = (name: string) => new URL(name, import.meta.url).href;
    const source = `
      const { compile } = await import('${module('./compile.ts')}');
      const { numpy: np, nn, valueAndGrad } = await import('${module('./jax.ts')}');
      const { createRandom } = await import('${module('./random.ts')}');
      const random = createRandom(1);
      const normal = (shape) => ({ dtype: 'float32', shape, data: new Float32Array(
        shape.reduce((count, size) => count * size)).map(() => random.normal()) });
      const loss = (w, ids) => {
        const mixed = nn.softmax(np.matmul(np.take(w.table, ids, 0), w.first), -1);
        return np.mean(np.square(np.matmul(mixed, np.transpose(w.second))));
      };
      const w = { table: normal([20, 8]), first: normal([8, 16]), second: normal([4, 16]) };
      const ids = { dtype: 'int32', shape: [3, 5],
        data: Int32Array.from({ length: 15 }, () => random.integer(20)) };
      const results = [];
      for (const provider of ['cpu', 'webgpu']) {
        const [value, g] = await compile(valueAndGrad(loss), { provider })(w, ids);
        results.push([value, g.table, g.first, g.second].flatMap(({ data }) => [...data]));
      }
      console.log(JSON.stringify(results));
      process.exit(0);
    `;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', source],
      { env: { ...process.env, VK_DRIVER_FILES: driver, LD_LIBRARY_PATH: chromium } },
    );
    const [cpu, webgpu] = JSON.parse(stdout) as [number[], number[]];
    expect(webgpu.length).toBe(cpu.length);
    expect(cpu.length).toBe(1 + 160 + 128 + 64);
    for (const [index, value] of cpu.entries()) {
      expect(Math.abs(webgpu[index]! - value)).toBeLessThan(1e-5);
    }
  },
);
