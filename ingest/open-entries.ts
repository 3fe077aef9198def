import type { IngestView, QuarantineSelection } from "./index.js";
import type { Pipeline } from "./pipeline.js";
import { Lock } from "./stores/lock.js";
import type { History, QuarantineEntry } from "./stores/port.js";

/** Open entries of quarantine, and what becomes of those that somebody selects. */
export type OpenEntries = Pick<IngestView, "replay" | "dismiss">;

const pageSize = 500;

/**
 * Opens what is open in quarantine.
 * Guarantee: an entry is taken once, however many ask for it at the same time.
 */
export function openEntries(
  history: Pick<History, "quarantine">,
  pipeline: Pick<Pipeline, "replay" | "dismiss" | "settled">,
): OpenEntries {
  /** From the reading of a page until it is taken: read beside somebody else's, it would show as open what is open no more. */
  const taking = new Lock();

  /** Hands open entries page by page; what an entry of an earlier page became isn't asked again. */
  const eachPage = async (
    { ids, ...rest }: QuarantineSelection,
    take: (entries: QuarantineEntry[]) => Promise<void>,
  ): Promise<void> => {
    const takePage = (part: { id?: string; cursor?: string; limit: number }): Promise<string | undefined> =>
      taking.run(async () => {
        const { items, next } = await history.quarantine({ ...rest, ...part, status: "open" });
        if (items.length > 0) await take(items);
        return next;
      });
    if (ids) {
      for (const id of ids) await takePage({ id, limit: 1 });
      return;
    }
    let cursor = await takePage({ limit: pageSize });
    while (cursor !== undefined) cursor = await takePage({ limit: pageSize, cursor });
  };

  return {
    async replay(selection, who) {
      // What was being stored when somebody mended its cause is taken too.
      await pipeline.settled();
      const done = { replayed: 0, refused: 0 };
      await eachPage(selection, async (entries) => {
        const report = await pipeline.replay(entries, who);
        done.replayed += report.replayed;
        done.refused += report.refused;
      });
      return done;
    },
    async dismiss(selection, who) {
      let dismissed = 0;
      await eachPage(selection, async (entries) => {
        dismissed += await pipeline.dismiss(entries, who);
      });
      return { dismissed };
    },
  };
}
