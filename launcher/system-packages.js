/** Debian packages that test suites need, and how they are obtained. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';

const present = {
  chromium: () =>
    findExecutable(['/usr/bin/chromium', '/usr/bin/google-chrome']) !== null,
  postgresql: () => postgresDirectory() !== null,
};

/** Names of those packages that this machine lacks. */
export function missingPackages(names) {
  return names.filter((name) => !present[name]());
}

/** Installs the missing ones through apt-get where this user may; otherwise says so. */
export function obtainPackages(names) {
  const missing = missingPackages(names);
  if (missing.length === 0) return;
  const prefix = aptPrefix();
  if (prefix === null) {
    process.stdout.write(
      `missing, and not installable from here: ${missing.join(', ')}\n`,
    );
    return;
  }
  process.stdout.write(`installing ${missing.join(', ')} with apt-get\n`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const run = (args) => {
    const [command, ...rest] = [...prefix, 'apt-get', '-qq', ...args];
    return spawnSync(command, rest, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: environment,
    });
  };
  run(['update']);
  run(['install', '-y', '--no-install-recommends', ...missing]);
}

/** Directory with initdb and pg_ctl of the newest installed PostgreSQL, or null. */
export function postgresDirectory() {
  const base = '/usr/lib/postgresql';
  if (!existsSync(base)) return null;
  const directories = readdirSync(base)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => `${base}/${version}/bin`)
    .filter((directory) => existsSync(`${directory}/initdb`));
  return directories[0] ?? null;
}

function findExecutable(paths) {
  return paths.find((path) => existsSync(path)) ?? null;
}

function aptPrefix() {
  if (findExecutable(['/usr/bin/apt-get']) === null) return null;
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : null;
}
