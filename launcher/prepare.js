/** Brings a checkout up to date: installs what is missing, builds what is stale. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fail, root, runNpm } from './runtime.js';

/** Installs the packages of a lock file, unless that very lock file is installed. */
export function installPackages(node, directory = root) {
  const lock = hash([join(directory, 'package-lock.json')]);
  const stamp = join(directory, 'node_modules', '.assay-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  process.stderr.write('assay: installing packages\n');
  const result = runNpm(node, ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (result.status !== 0)
    fail('npm could not install the packages; see the lines above');
  writeFileSync(stamp, lock);
}

/** Builds the front end into `web/dist`. */
export function buildFrontEnd(node) {
  const sources = [
    ...filesUnder(join(root, 'web'), ['dist']),
    ...filesUnder(join(root, 'src', 'nouns'), []),
    join(root, 'src', 'server', 'schema.ts'),
  ];
  buildIfStale(join(root, 'web', 'dist'), sources, () => {
    process.stderr.write('assay: building the front end\n');
    const vite = join('node_modules', 'vite', 'bin', 'vite.js');
    runTool(node, [vite, 'build', 'web', '--logLevel', 'error'], 'the front end');
  });
}

/**
 * Builds `dist`, which the packed package holds. A checkout runs its sources, but `npm pack`
 * runs no script where scripts are off, so the build has to be there before.
 */
export function buildPackage(node) {
  const output = join(root, 'dist');
  const source = join(root, 'src');
  const sources = [
    ...filesUnder(source, []),
    join(root, 'tsconfig.json'),
    join(root, 'tsconfig.build.json'),
  ];
  buildIfStale(output, sources, () => {
    process.stderr.write('assay: building the package\n');
    rmSync(output, { recursive: true, force: true });
    const compiler = join('node_modules', 'typescript', 'bin', 'tsc');
    runTool(node, [compiler, '-p', 'tsconfig.build.json'], 'the package');
    // The catalog is read at run time: its texts go beside the code that reads them.
    const isText = (path) => !/\.ts$|golden\.json$/.test(path);
    cpSync(source, output, { recursive: true, filter: isText });
  });
}

/** Builds unless the output is that of these very sources and packages. */
function buildIfStale(output, sources, build) {
  const lock = join(root, 'package-lock.json');
  const current = hash([...sources, lock].filter((file) => existsSync(file)));
  const stamp = join(output, '.stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === current) return;
  rmSync(stamp, { force: true });
  build();
  mkdirSync(output, { recursive: true });
  writeFileSync(stamp, current);
}

function runTool(node, args, what) {
  const result = spawnSync(node, args, {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  if (result.status !== 0) fail(`${what} did not build; see the lines above`);
}

function filesUnder(directory, skipped) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => !skipped.includes(entry.name))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? filesUnder(path, skipped) : [path];
    })
    .sort();
}

function hash(files) {
  const digest = createHash('sha256');
  for (const file of files)
    digest.update(relative(root, file)).update(readFileSync(file));
  return digest.digest('hex');
}
