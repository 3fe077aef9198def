import { join } from "node:path";
import type { Logger } from "pino";
import { openJournalReader, openPastReader } from "./journal/index.js";
import type { JournalReader } from "./journal/port.js";
import type { RuleEngine } from "./rules/port.js";
import type { History, Sink } from "./stores/port.js";
import type { StateStore } from "./stores/state.js";

/** What the reading of the journal is opened with. */
export interface ReadingParts {
  dataDir: string;
  history: History;
  rules: RuleEngine;
  state: StateStore;
  sinks: readonly Sink[];
  durableSequence: number;
  log: Logger;
}

/**
 * Opens the journal where history goes on. A history that is new although messages were acknowledged before is made again:
 * sealed days are in it already, the rest is read from the archive and the journal, each value once; rules don't judge anew
 * what they had judged, sinks are fed again.
 */
export async function openReading(parts: ReadingParts): Promise<JournalReader> {
  const { dataDir, history, rules, state, sinks, durableSequence, log } = parts;
  if (history.isNew && durableSequence > 0) {
    const { sealedDays } = await history.status();
    log.warn(
      { sealedDays, messages: durableSequence },
      "history.duckdb is new: history is made again from its past",
    );
    await state.transaction(() => {
      rules.passOver();
      rules.save();
    });
    const positions = [rules.position, ...sinks.map(({ status }) => status.position)];
    await history.beginRebuild(Math.max(...positions), durableSequence);
  }
  const dir = join(dataDir, "journal");
  if (history.position >= history.rebuildUntil) return openJournalReader({ dir, after: history.position });
  return openPastReader({
    dir,
    archiveDir: join(dataDir, "archive"),
    after: history.position,
    onGap: (from, to) =>
      log.warn(
        { from, to },
        "messages that stand nowhere any more: what sealed days hold of them is kept, their accounts and what was quarantined are lost",
      ),
  });
}
