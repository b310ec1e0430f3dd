/** The built front end: files of one directory, and its page for every address of the app. */

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname, join, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};

const missing =
  'The pages of Assay are not built here. Run "npm start" in the checkout, or "npm run build".\n';

/** Answers a GET for a path of the app; `undefined` when it names a file that is not there. */
export async function staticResponse(
  directory: string,
  path: string,
): Promise<Response | undefined> {
  const file = fileFor(directory, path);
  if (file !== undefined && (await isFile(file))) return fileResponse(file);
  // Addresses of the app have no extension; a missing script or image is an error.
  if (extname(path) !== '') return undefined;
  const page = join(directory, 'index.html');
  if (await isFile(page)) return fileResponse(page);
  return new Response(missing, {
    status: 503,
    headers: { 'content-type': 'text/plain; charset=utf-8' },
  });
}

/** A file as a streamed response, with further headers. */
export async function fileResponse(
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const { size } = await stat(path);
  // Names under assets/ carry a hash of their content.
  const immutable = path.includes(`${sep}assets${sep}`);
  return new Response(Readable.toWeb(createReadStream(path)) as ReadableStream, {
    headers: {
      'content-type': types[extname(path)] ?? 'application/octet-stream',
      'content-length': String(size),
      'cache-control': immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      ...headers,
    },
  });
}

function fileFor(directory: string, path: string): string | undefined {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  if (decoded.includes('\0') || decoded.includes('\\')) return undefined;
  const root = resolve(directory);
  const file = resolve(root, `.${decoded}`);
  return file.startsWith(root + sep) ? file : undefined;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
