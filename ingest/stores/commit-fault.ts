/**
 * Why LMDB couldn't commit (disk full, I/O error); undefined for every other error.
 * Nothing of such a transaction stands, and the next one may succeed.
 */
export async function commitFault(error: unknown): Promise<string | undefined> {
  if (!(error instanceof Error) || !("commitError" in error)) return undefined;
  try {
    await error.commitError;
    return error.message;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

/**
 * Keeps a full disk from ending this thread: of each commit that fails, LMDB's binding also rejects a promise that nobody can hold.
 * Every other rejection that nobody handles still ends it. `onFault` is told why.
 */
export function surviveFailedCommits(onFault: (why: string) => void): void {
  process.on("unhandledRejection", (reason) => {
    const isCommit =
      reason instanceof Error &&
      ("commitError" in reason || typeof (reason as { code?: unknown }).code === "number");
    if (!isCommit) throw reason;
    void commitFault(reason).then((why) => onFault(why ?? reason.message));
  });
}
