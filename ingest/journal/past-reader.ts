import type { JournalMessage } from "../../devices/index.js";
import { readArchive } from "./archive.js";
import { type FileSystem, nodeFileSystem } from "./file-system.js";
import type { JournalReader } from "./port.js";
import { firstInJournal, openJournalReader } from "./reader.js";

/** How a journal is read with its past. */
export interface PastReaderOptions {
  dir: string;
  archiveDir: string;
  after: number;
  /** Told of messages that stand nowhere any more: the archive is bounded. They are passed. */
  onGap: (from: number, to: number) => void;
  fs?: FileSystem;
}

/** Reads the archive first, where the journal no longer holds what comes next, then the journal. For a history that is rebuilt. */
export function openPastReader(options: PastReaderOptions): JournalReader {
  const { dir, archiveDir, fs = nodeFileSystem, onGap } = options;
  let last = options.after;
  let archive: AsyncGenerator<JournalMessage> | undefined;
  let next: JournalMessage | undefined;
  let journal: JournalReader | undefined;

  const pass = (to: number): void => {
    if (to > last) onGap(last + 1, to);
    last = Math.max(last, to);
  };
  const peek = async (): Promise<JournalMessage | undefined> => {
    archive ??= readArchive(fs, archiveDir, last + 1);
    try {
      next ??= (await archive.next()).value as JournalMessage | undefined;
    } catch (error) {
      // Asked again it is read again from here.
      archive = undefined;
      throw error;
    }
    return next;
  };
  /** Fills up from the archive; gives false once the journal itself is to be read. */
  const readPast = async (
    into: JournalMessage[],
    maxMessages: number,
    maxBytes: number,
  ): Promise<boolean> => {
    const first = (await firstInJournal(dir, fs)) ?? Number.POSITIVE_INFINITY;
    for (let bytes = 0; into.length < maxMessages && bytes < maxBytes;) {
      const message = last + 1 < first ? await peek() : undefined;
      if (!message || message.sequence >= first) {
        if (Number.isFinite(first)) pass(first - 1);
        return false;
      }
      next = undefined;
      if (message.sequence <= last) continue;
      pass(message.sequence - 1);
      last = message.sequence;
      bytes += message.payload.length;
      into.push(message);
    }
    return true;
  };

  return {
    async read(durableSequence, maxMessages, maxBytes) {
      if (!journal) {
        const messages: JournalMessage[] = [];
        const isPast = await readPast(messages, maxMessages, maxBytes).catch((error: unknown) => {
          if (messages.length === 0) throw error;
          return true;
        });
        if (!isPast) journal = openJournalReader({ dir, fs, after: last });
        if (messages.length > 0 || !journal) return messages;
      }
      return journal.read(durableSequence, maxMessages, maxBytes);
    },
    async close() {
      await archive?.return(undefined);
      await journal?.close();
    },
  };
}
