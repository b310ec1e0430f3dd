/** Errors as responses: one shape, a proper status, never a stack. */

import type { z } from 'zod';
import { AssayError, InvalidInputError } from '../error.ts';
import type { ApiError } from './schema.ts';

type Code = ApiError['error']['code'];
export type ErrorStatus = 400 | 403 | 404 | 409 | 413 | 422 | 500 | 503;

const statuses: Readonly<Record<Code, ErrorStatus>> = {
  'invalid-input': 400,
  'invalid-file': 422,
  'not-found': 404,
  unsupported: 422,
  cancelled: 409,
  busy: 409,
  'cannot-fit': 422,
  environment: 503,
  forbidden: 403,
  'too-large': 413,
  internal: 500,
};

/** An error that only the HTTP door knows. */
export class RefusedError extends Error {
  readonly code: 'forbidden' | 'too-large';

  constructor(code: 'forbidden' | 'too-large', message: string) {
    super(message);
    this.code = code;
  }
}

export function errorBody(error: unknown): { body: ApiError; status: ErrorStatus } {
  const detail = detailOf(error);
  return { body: { error: detail }, status: statuses[detail.code] };
}

function detailOf(error: unknown): ApiError['error'] {
  if (error instanceof InvalidInputError) {
    return { code: error.code, message: error.message, argument: error.argument };
  }
  if (error instanceof AssayError || error instanceof RefusedError) {
    return { code: error.code, message: error.message };
  }
  return {
    code: 'internal',
    message: 'something went wrong inside Assay; the terminal it runs in says what',
  };
}

/** Parses with a schema. Throws InvalidInputError that names the first wrong field. */
export function parseWith<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const path = [...issue.path, ...(issue.code === 'unrecognized_keys' ? issue.keys : [])];
  const argument = path.length > 0 ? path.map(String).join('.') : 'body';
  throw new InvalidInputError(argument, expectation(issue), received(value, issue.path));
}

function expectation(issue: { message: string }): string {
  const [, expected] = /^Invalid input: expected ([^,]+)/.exec(issue.message) ?? [];
  return expected ?? `a valid value (${issue.message})`;
}

function received(value: unknown, path: readonly PropertyKey[]): string {
  let found: unknown = value;
  for (const key of path) {
    found =
      typeof found === 'object' && found !== null && Object.hasOwn(found, key)
        ? (found as Record<PropertyKey, unknown>)[key]
        : undefined;
  }
  if (found === undefined) return 'nothing';
  const text = JSON.stringify(found) ?? String(found);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
