/**
 * Runs `body` with a signal that aborts when `stop` does, or after `timeoutMs` milliseconds with a `TimeoutError`.
 * Guarantee: leaves nothing behind at `stop`, however long that one lives. (`AbortSignal.any` does: what listens to its signal
 * is kept for as long as its sources.)
 */
export async function withDeadline<T>(
  stop: AbortSignal,
  timeoutMs: number,
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController();
  const end = (): void => deadline.abort(stop.reason);
  const timer = setTimeout(
    () => deadline.abort(new DOMException("it took too long", "TimeoutError")),
    timeoutMs,
  ).unref();
  stop.addEventListener("abort", end);
  if (stop.aborted) end();
  try {
    return await body(deadline.signal);
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", end);
  }
}
