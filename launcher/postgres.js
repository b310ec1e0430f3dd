/** A PostgreSQL server of our own for the tests: temporary directory, loopback, free port. */

import { execFileSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresDirectory } from './system-packages.js';

/** Starts it; returns its URL and a function that stops it and removes its files. */
export function startPostgres() {
  const programs = postgresDirectory();
  const directory = mkdtempSync(join(tmpdir(), 'assay-postgres-'));
  const port = 20000 + (process.pid % 20000);
  // PostgreSQL refuses to run as root: then it runs as the user its package made.
  const asPostgres = process.getuid?.() === 0;
  if (asPostgres) {
    const id = (flag) =>
      Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
    chownSync(directory, id('-u'), id('-g'));
  }
  const run = (program, args) => {
    const command = [join(programs, program), ...args];
    const [file, ...rest] = asPostgres
      ? ['runuser', '-u', 'postgres', '--', ...command]
      : command;
    execFileSync(file, rest, { stdio: ['ignore', 'ignore', 'inherit'], cwd: directory });
  };
  const data = join(directory, 'data');
  run('initdb', [
    '-D',
    data,
    '-U',
    'assay',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C.UTF-8',
  ]);
  const options = `-c listen_addresses=127.0.0.1 -c port=${port} -c unix_socket_directories=${directory} -c fsync=off`;
  run('pg_ctl', ['-D', data, '-w', '-l', join(directory, 'log'), '-o', options, 'start']);
  return {
    url: `postgres://assay@127.0.0.1:${port}/postgres`,
    stop() {
      run('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
