/** The error for what the engine cannot compile yet. */

import { AssayError } from '../error.ts';

/** An operation, or a type of it, that the compiler does not lower. */
export class UnsupportedError extends AssayError {
  constructor(message: string) {
    super('unsupported', `compile: ${message}`);
  }
}
