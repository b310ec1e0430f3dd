/** Requests to the server this page came from. */

import type { ApiError } from '../../../src/server/schema.ts';

/** What the server, or the way to it, answered instead of a result. */
export class ApiFailure extends Error {
  readonly status: number;
  readonly code: string;
  /** The field that is wrong, where the server named one. */
  readonly argument: string | undefined;

  constructor(status: number, detail: ApiError['error'] | { code: 'offline' }) {
    super('message' in detail ? detail.message : offlineMessage);
    this.name = 'ApiFailure';
    this.status = status;
    this.code = detail.code;
    this.argument = 'argument' in detail ? detail.argument : undefined;
  }
}

const offlineMessage =
  'Assay does not answer. Check that it is still running in its terminal, then try again.';

/** GET of a JSON resource. Throws `ApiFailure`. */
export function getJson<Result>(path: string, signal?: AbortSignal): Promise<Result> {
  return request<Result>(path, { signal });
}

/** POST of a JSON body. Throws `ApiFailure`. */
export function postJson<Result>(path: string, body: unknown = {}): Promise<Result> {
  return request<Result>(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function request<Result>(path: string, init: RequestInit): Promise<Result> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiFailure(0, { code: 'offline' });
  }
  const body: unknown = await response.json().catch(() => null);
  if (response.ok) return body as Result;
  throw new ApiFailure(response.status, errorDetail(body, response.status));
}

function errorDetail(body: unknown, status: number): ApiError['error'] {
  const detail = (body as Partial<ApiError> | null)?.error;
  if (detail?.message) return detail;
  return { code: 'internal', message: `Assay answered with an error (${status}).` };
}
