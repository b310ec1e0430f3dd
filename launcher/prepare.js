/** Brings a checkout up to date: installs what is missing, builds what is stale. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fail, root, runNpm } from './runtime.js';

/** Installs the packages of a lock file, unless that very lock file is installed. */
export function installPackages(node, directory = root) {
  const lock = hash([join(directory, 'package-lock.json')]);
  const stamp = join(directory, 'node_modules', '.assay-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  process.stderr.write('assay: installing packages\n');
  const result = runNpm(node, ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (result.status !== 0)
    fail('npm could not install the packages; see the lines above');
  writeFileSync(stamp, lock);
}

/** Builds the front end, unless the build of these very sources is there. */
export function buildFrontEnd(node) {
  const sources = [
    ...filesUnder(join(root, 'web'), ['dist']),
    ...filesUnder(join(root, 'src', 'nouns'), []),
    join(root, 'src', 'server', 'schema.ts'),
    join(root, 'package-lock.json'),
  ];
  const current = hash(sources.filter((file) => existsSync(file)));
  const output = join(root, 'web', 'dist');
  const stamp = join(output, '.stamp');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === current) return;
  process.stderr.write('assay: building the front end\n');
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  const result = spawnSync(node, [vite, 'build', 'web', '--logLevel', 'error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  if (result.status !== 0) fail('the front end did not build; see the lines above');
  mkdirSync(output, { recursive: true });
  writeFileSync(stamp, current);
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
