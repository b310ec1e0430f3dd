/** Errors that Assay throws on purpose. Every message says what to do next. */

/** What went wrong, as a stable word that callers and the HTTP layer can switch on. */
export type ErrorCode =
  | 'invalid-input'
  | 'invalid-file'
  | 'not-found'
  | 'unsupported'
  | 'cancelled'
  | 'busy'
  | 'cannot-fit'
  | 'environment';

/** Base of all errors that are meant for the user; anything else is a defect of ours. */
export class AssayError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** An argument has the wrong value: names it, what was expected and what came. */
export class InvalidInputError extends AssayError {
  readonly argument: string;
  readonly expected: string;
  readonly received: string;

  constructor(argument: string, expected: string, received: string) {
    super('invalid-input', `${argument}: expected ${expected}, got ${received}`);
    this.argument = argument;
    this.expected = expected;
    this.received = received;
  }
}

/** A file cannot be used: names it, the field or tensor, what was expected and what came. */
export class InvalidFileError extends AssayError {
  readonly file: string;
  readonly field: string;
  readonly expected: string;
  readonly received: string;
  readonly offset: number | undefined;

  constructor(
    file: string,
    field: string,
    expected: string,
    received: string,
    offset?: number,
  ) {
    const place = offset === undefined ? '' : ` at byte ${offset}`;
    super(
      'invalid-file',
      `${file}: ${field}${place}: expected ${expected}, got ${received}`,
    );
    this.file = file;
    this.field = field;
    this.expected = expected;
    this.received = received;
    this.offset = offset;
  }
}

/** The work was stopped by its `AbortSignal`. */
export class CancelledError extends AssayError {
  constructor(what = 'the run') {
    super('cancelled', `${what} was cancelled`);
  }
}

/** Throws `CancelledError` when the signal has fired. Call it between units of work. */
export function throwIfCancelled(signal: AbortSignal | undefined, what?: string): void {
  if (signal?.aborted) throw new CancelledError(what);
}
