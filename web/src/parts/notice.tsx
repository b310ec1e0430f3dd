/** What is shown where there is nothing to show: empty, failed, not found. */

import type { ReactNode } from 'react';
import { ApiFailure } from '../api/client.ts';
import { Icon } from './icon.tsx';

interface Props {
  readonly title: string;
  readonly children?: ReactNode;
}

/** Nothing is here, and that is fine. */
export function Empty({ title, children }: Props) {
  return (
    <div className="notice">
      <p className="notice-title">{title}</p>
      {children}
    </div>
  );
}

/** Something went wrong; says what, and offers to try again where that can help. */
export function Failure({
  error,
  retry,
}: {
  readonly error: unknown;
  readonly retry?: () => void;
}) {
  const offline = error instanceof ApiFailure && error.code === 'offline';
  return (
    <div className="notice notice-failure" role="alert">
      <p className="notice-title">
        <Icon name="warning" /> {offline ? 'No connection to Assay' : 'This did not work'}
      </p>
      <p>{messageOf(error)}</p>
      {retry ? (
        <button type="button" className="button" onClick={retry}>
          Try again
        </button>
      ) : null}
    </div>
  );
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiFailure && error.status === 404;
}
