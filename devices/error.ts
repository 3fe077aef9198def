/** What an {@link ObiegError} carries beside its message. */
export interface ErrorOptions {
  /** True when the same call may succeed later without anything being mended. */
  retryable?: boolean;
  /** Wait at least this long before trying again, in milliseconds. */
  retryAfterMs?: number;
  cause?: unknown;
  /** Facts for the log or the problem document; never a secret. */
  detail?: Readonly<Record<string, unknown>>;
}

/**
 * The one error class of the project: a stable `code` (kebab-case, listed in the README) and a message that says what to do.
 * Retryability is a property given where the error is made, never guessed from its text.
 */
export class ObiegError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly detail: Readonly<Record<string, unknown>> | undefined;

  constructor(code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ObiegError";
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.detail = options.detail;
  }
}
