/**
 * `npm test`: sets the checkout up, gets what the suites need, runs them all and ends with
 * one line `N passed, N failed, N skipped`. Flags: `--without browser,postgres`, `--only unit`.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from './postgres.js';
import { buildFrontEnd, buildPackage, installPackages } from './prepare.js';
import { fail, findNode, root } from './runtime.js';
import { missingPackages, obtainPackages } from './system-packages.js';

const suites = ['style', 'types', 'unit', 'browser', 'postgres'];
const needs = { browser: ['chromium'], postgres: ['postgresql'] };

const { without, only } = readFlags(process.argv.slice(2));
const node = findNode();
installPackages(node);
installPackages(node, join(root, 'test', 'judges'));
buildFrontEnd(node);
buildPackage(node);

const wanted = (only ?? suites).filter((suite) => !without.includes(suite));
obtainPackages(wanted.flatMap((suite) => needs[suite] ?? []));

const results = wanted.map((suite) => ({ suite, ...runSuite(suite) }));
process.exit(report(results));

function runSuite(suite) {
  process.stdout.write(`\n── ${suite}\n`);
  const missing = missingPackages(needs[suite] ?? []);
  if (missing.length > 0) {
    const names = missing.join(', ');
    process.stdout.write(
      `${suite}: needs ${names}; install it or pass --without ${suite}\n`,
    );
    return failure(`${suite} suite: missing ${names}`);
  }
  if (suite === 'style')
    return runCheck('style', ['@biomejs/biome/bin/biome', 'ci', '.']);
  if (suite === 'types') {
    const source = runCheck('types', ['typescript/bin/tsc', '-p', '.']);
    const web = runCheck('types of the front end', ['typescript/bin/tsc', '-p', 'web']);
    return sum([source, web]);
  }
  if (suite === 'unit') return runVitest(['--config', 'vitest.config.ts'], {});
  if (suite === 'browser') {
    return runVitest(['--config', 'test/browser/vitest.config.ts'], {});
  }
  const database = startPostgres();
  try {
    const environment = { DATABASE_URL: database.url };
    return runVitest(['--config', 'test/postgres/vitest.config.ts'], environment);
  } finally {
    database.stop();
  }
}

function runCheck(name, [script, ...args]) {
  const result = spawnSync(node, [join(root, 'node_modules', script), ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  return result.status === 0
    ? { passed: 1, failed: 0, skipped: 0, failures: [], skips: [] }
    : failure(name);
}

function runVitest(args, environment) {
  const directory = mkdtempSync(join(tmpdir(), 'assay-test-'));
  const file = join(directory, 'report.json');
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  try {
    const result = spawnSync(
      node,
      [
        vitest,
        'run',
        '--root',
        root,
        ...args,
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${file}`,
      ],
      { cwd: root, stdio: 'inherit', env: { ...process.env, ...environment } },
    );
    if (!existsSync(file)) return failure('vitest ended without a report');
    const counts = countTests(JSON.parse(readFileSync(file, 'utf8')));
    return result.status !== 0 && counts.failed === 0
      ? sum([counts, failure('vitest reported an error outside of the tests')])
      : counts;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function countTests(vitestReport) {
  const tests = vitestReport.testResults.flatMap((file) => {
    const broken = file.status === 'failed' && file.assertionResults.length === 0;
    return broken ? [{ status: 'failed', fullName: file.name }] : file.assertionResults;
  });
  const named = (statuses) =>
    tests.filter((test) => statuses.includes(test.status)).map((test) => test.fullName);
  const failures = named(['failed']);
  const skips = named(['skipped', 'pending', 'todo']);
  return {
    passed: named(['passed']).length,
    failed: failures.length,
    skipped: skips.length,
    failures,
    skips,
  };
}

function failure(name) {
  return { passed: 0, failed: 1, skipped: 0, failures: [name], skips: [] };
}

function sum(parts) {
  return {
    passed: parts.reduce((total, part) => total + part.passed, 0),
    failed: parts.reduce((total, part) => total + part.failed, 0),
    skipped: parts.reduce((total, part) => total + part.skipped, 0),
    failures: parts.flatMap((part) => part.failures),
    skips: parts.flatMap((part) => part.skips),
  };
}

function report(results) {
  const total = sum(results);
  process.stdout.write('\n');
  for (const { suite, passed, failed, skipped } of results) {
    process.stdout.write(
      `${suite}: ${passed} ok, ${failed} not ok, ${skipped} left out\n`,
    );
  }
  for (const suite of without) process.stdout.write(`left out on request: ${suite}\n`);
  for (const name of total.skips) process.stdout.write(`skipped: ${name}\n`);
  for (const name of total.failures) process.stdout.write(`failed: ${name}\n`);
  process.stdout.write(
    `${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`,
  );
  return total.failed > 0 || total.passed === 0 ? 1 : 0;
}

function readFlags(args) {
  const flags = { without: [], only: undefined };
  for (let index = 0; index < args.length; index += 2) {
    const name = args[index].replace(/^--/, '');
    const list = args[index + 1]?.split(',') ?? [];
    const unknown = list.filter((suite) => !suites.includes(suite));
    if (!(name in flags) || list.length === 0 || unknown.length > 0) {
      fail(`npm test takes --without and --only with names of ${suites.join(', ')}`);
    }
    flags[name] = list;
  }
  return flags;
}
