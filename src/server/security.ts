/** What keeps other web sites out of an app that listens on this machine. */

import { isIP } from 'node:net';
import type { MiddlewareHandler } from 'hono';
import { RefusedError } from './errors.ts';

const headers: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

/** Policy of an SVG file: nothing but its own style. */
export const svgPolicy = "default-src 'none'; style-src 'unsafe-inline'";

export function securityHeaders(): MiddlewareHandler {
  return async (context, next) => {
    await next();
    for (const [name, value] of Object.entries(headers)) {
      if (!context.res.headers.has(name)) context.res.headers.set(name, value);
    }
  };
}

/**
 * Refuses hosts that are neither an address nor this machine: a foreign name that resolves to
 * this machine (DNS rebinding) would make its pages same-origin with the app.
 */
export function checkHost(ownNames: readonly string[]): MiddlewareHandler {
  return async (context, next) => {
    const host = context.req.header('host') ?? '';
    if (!isOwnHost(host, ownNames)) {
      throw new RefusedError(
        'forbidden',
        `this app does not answer for the host "${host}"`,
      );
    }
    await next();
  };
}

export function isOwnHost(header: string, ownNames: readonly string[]): boolean {
  let name: string;
  try {
    const url = new URL(`http://${header}`);
    if (url.username !== '' || url.pathname !== '/') return false;
    name = url.hostname.toLowerCase();
  } catch {
    return false;
  }
  if (isIP(name.replace(/^\[|\]$/g, '')) !== 0) return true;
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    ownNames.some((own) => own.toLowerCase() === name)
  );
}

/** Refuses writes that a page of another origin sends through the user's browser. */
export function checkOrigin(): MiddlewareHandler {
  return async (context, next) => {
    const { method } = context.req;
    if (method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS') {
      const origin = context.req.header('origin');
      const site = context.req.header('sec-fetch-site');
      const foreign =
        origin !== undefined
          ? !isSameOrigin(origin, context.req.header('host') ?? '')
          : site !== undefined && site !== 'same-origin' && site !== 'none';
      if (foreign) {
        throw new RefusedError('forbidden', 'writes from other web sites are refused');
      }
    }
    await next();
  };
}

function isSameOrigin(origin: string, host: string): boolean {
  try {
    return new URL(origin).host === new URL(`http://${host}`).host;
  } catch {
    return false;
  }
}
