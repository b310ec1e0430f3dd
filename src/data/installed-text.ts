/** The text of a fresh machine: documentation and declarations that the install brought. */

import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AssayError } from '../error.ts';
import { sha256 } from '../format/hash.ts';
import { collectionOf, type TextCollection, type TextDocument } from './text.ts';

export interface InstalledTextOptions {
  /**
   * `held-out` are the files whose path's SHA-256 is divisible by ten, `train` the others:
   * no file is in both, on any machine.
   */
  readonly split: 'train' | 'held-out';
  /** Most bytes taken, in order of the files; a file that would exceed it is left out. */
  readonly maximumBytes?: number;
  /** Where to look for `package.json` and `node_modules` (default: this package). */
  readonly root?: string;
}

export interface InstalledText extends TextCollection {
  readonly split: 'train' | 'held-out';
  /** Paths below `node_modules`, in order. */
  readonly files: readonly string[];
}

const leastBytes = 50_000;
const defaultMaximumBytes = 4_000_000;
const largestFile = 1_000_000;

/**
 * The installed text: TypeScript's `lib/lib.*.d.ts`, the declarations of `@types/node`, and
 * the README of each package that this package's manifest lists, sorted by path. Where
 * TypeScript is not installed, the declarations of the listed packages take its place.
 *
 * @throws AssayError `not-found` when less than 50 KB are installed for both splits together.
 */
export async function installedText(
  options: InstalledTextOptions,
): Promise<InstalledText> {
  const { split, maximumBytes = defaultMaximumBytes } = options;
  const root = options.root ?? (await packageRoot());
  const candidates = await candidateFiles(root);
  const documents: TextDocument[] = [];
  let available = 0;
  let bytes = 0;
  for (const { name, path } of candidates) {
    const content = await textOf(path);
    if (content === null) continue;
    const length = Buffer.byteLength(content);
    available += length;
    if (splitOf(name) !== split || bytes + length > maximumBytes) continue;
    bytes += length;
    documents.push({ name, text: content });
  }
  if (available < leastBytes || documents.length === 0) {
    throw new AssayError(
      'not-found',
      `too little text came with the installed packages (${available} bytes, ${bytes} for ` +
        `the ${split} part): give your own with --calibration and --eval`,
    );
  }
  return {
    ...collectionOf(documents),
    split,
    files: documents.map((document) => document.name),
  };
}

/** Which split a file belongs to, by the SHA-256 of its path below `node_modules`. */
export function splitOf(name: string): 'train' | 'held-out' {
  return BigInt(`0x${sha256(name)}`) % 10n === 0n ? 'held-out' : 'train';
}

interface Candidate {
  /** Path below `node_modules`, with forward slashes. */
  readonly name: string;
  readonly path: string;
}

async function candidateFiles(root: string): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  const add = async (name: string, directory: string, wanted: RegExp): Promise<void> => {
    const files = await readdir(directory, { recursive: true }).catch(() => []);
    for (const file of files) {
      const path = file.split('\\').join('/');
      if (!wanted.test(path)) continue;
      candidates.push({ name: `${name}/${path}`, path: join(directory, file) });
    }
  };
  const typescript = await findPackage(root, 'typescript');
  if (typescript)
    await add('typescript/lib', join(typescript, 'lib'), /^lib\.[^/]*\.d\.ts$/);
  const node = await findPackage(root, '@types/node');
  if (node) await add('@types/node', node, /^(?!.*node_modules\/).*\.d\.ts$/);
  for (const name of await listedPackages(root)) {
    const directory = await findPackage(root, name);
    if (!directory) continue;
    const files = (await readdir(directory).catch(() => [])).sort();
    const readme = files.find((file) => /^readme\.(md|markdown)$/i.test(file));
    if (readme)
      candidates.push({ name: `${name}/${readme}`, path: join(directory, readme) });
    // An installed package comes without development packages: READMEs alone are too little.
    if (!typescript) await add(name, directory, /^(?!.*node_modules\/).*\.d\.ts$/);
  }
  return candidates.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function listedPackages(root: string): Promise<string[]> {
  const text = await readFile(join(root, 'package.json'), 'utf8').catch(() => '{}');
  const names = new Set<string>();
  try {
    const manifest = JSON.parse(text) as Record<string, unknown>;
    for (const key of ['dependencies', 'devDependencies']) {
      for (const name of Object.keys(manifest[key] ?? {})) names.add(name);
    }
  } catch {
    // A broken manifest lists nothing; the other sources remain.
  }
  return [...names].sort();
}

/** A package's directory, looked for in `node_modules` here and above as Node does. */
async function findPackage(root: string, name: string): Promise<string | null> {
  for (let at = root; ; at = dirname(at)) {
    const directory = join(at, 'node_modules', ...name.split('/'));
    if ((await stat(directory).catch(() => null))?.isDirectory()) return directory;
    if (dirname(at) === at) return null;
  }
}

async function packageRoot(): Promise<string> {
  for (let at = import.meta.dirname; ; at = dirname(at)) {
    const found = await stat(join(at, 'package.json')).catch(() => null);
    if (found?.isFile() || dirname(at) === at) return at;
  }
}

async function textOf(path: string): Promise<string | null> {
  const status = await stat(path).catch(() => null);
  if (!status?.isFile() || status.size > largestFile) return null;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
    return text.trim() === '' || text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}
