/** Where a result was made: versions and machine, stored with every result. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, type as systemName, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly os: string;
}

/** Version of Assay, from its package.json. */
export function assayVersion(): string {
  // The same depth from `src/lab` and from the built `dist/lab`.
  return versionIn(join(import.meta.dirname, '..', '..', 'package.json')) ?? 'unknown';
}

/** Versions of everything that can change a number. */
export function versions(): Record<string, string> {
  return {
    assay: assayVersion(),
    node: process.versions.node,
    onnxruntime: packageVersion('onnxruntime-node') ?? 'absent',
    'jax-js': packageVersion('@jax-js/jax') ?? 'absent',
  };
}

export function machine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() || process.arch,
    cores: processors.length,
    memoryBytes: totalmem(),
    os: `${systemName()} ${release()}`,
  };
}

function packageVersion(name: string): string | undefined {
  // Packages may hide their package.json: it is looked for beside their code.
  try {
    const entry = entryOf(name);
    for (let directory = dirname(entry); ; directory = dirname(directory)) {
      const version = versionIn(join(directory, 'package.json'), name);
      if (version !== undefined) return version;
      if (directory === dirname(directory)) return undefined;
    }
  } catch {
    return undefined;
  }
}

function entryOf(name: string): string {
  try {
    return fileURLToPath(import.meta.resolve(name));
  } catch {
    return createRequire(import.meta.url).resolve(name);
  }
}

function versionIn(path: string, name?: string): string | undefined {
  try {
    const described = JSON.parse(readFileSync(path, 'utf8')) as {
      name?: string;
      version?: string;
    };
    return name === undefined || described.name === name ? described.version : undefined;
  } catch {
    return undefined;
  }
}
