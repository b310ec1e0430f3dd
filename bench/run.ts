/** `npm run bench -- NAME`: figures and ratios, each against a peer measured in the same run. */

import { cpus, loadavg } from 'node:os';

const benches: Record<string, () => Promise<{ run: () => Promise<string[]> }>> = {
  engine: () => import('./engine.ts'),
  decode: () => import('./decode.ts'),
  responsiveness: () => import('./responsiveness.ts'),
  start: () => import('./start.ts'),
};

const names = process.argv.slice(2);
const unknown = names.find((name) => !(name in benches));
if (names.length === 0 || unknown !== undefined) {
  console.error(`npm run bench -- NAME, with NAME of ${Object.keys(benches).join(', ')}`);
  process.exitCode = 2;
} else {
  const load = () => loadavg()[0]!.toFixed(2);
  console.log(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores`);
  for (const name of names) {
    console.log(`\n${name} (load average ${load()} before)`);
    const { run } = await benches[name]!();
    for (const line of await run()) console.log(`  ${line}`);
    console.log(`  (load average ${load()} after)`);
  }
  process.exit();
}
