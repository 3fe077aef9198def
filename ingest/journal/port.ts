import type { JournalMessage, RawRun } from "../../devices/index.js";

/** Where the door writes. One per data folder. */
export interface JournalWriter {
  /**
   * Appends a run of messages, all or none. `done` runs once, with the last one's sequence, after the group that holds them
   * was written and fdatasynced, in order of append, all of a group in one turn of the event loop (so that their PUBACKs can leave together).
   * Errors given to `done`: `journal-full` (retryable), `journal-poisoned` (retryable), `journal-closed`.
   * Guarantee: called back without error means durable; with an error means it will never be read back by {@link JournalReader}.
   */
  append(run: RawRun, done: (error: Error | undefined, sequence: number) => void): void;
  /** Everything up to and including `sequence` is processed: its segments may be archived and removed. */
  trim(sequence: number): void;
  /** Last durable sequence; 0 when empty. */
  readonly durableSequence: number;
  readonly status: JournalStatus;
  close(): Promise<void>;
}

/** How the journal stands, for `/readyz`, `/metrics` and the throttle. */
export interface JournalStatus {
  bytes: number;
  maxBytes: number;
  durableSequence: number;
  trimmedSequence: number;
  archiveBytes: number;
  /** Undefined while it takes messages; else a code (`journal-full`, `journal-poisoned`) and why. */
  fault: { code: string; message: string } | undefined;
}

/** Where the works read. Independent of the writer, in another thread, by the files alone. */
export interface JournalReader {
  /**
   * Reads messages after the last one read, up to `durableSequence` (told by the door), at most `maxMessages` or `maxBytes`.
   * Returns an empty array at the end. The messages can be used until the read after the next one: their memory serves again. Throws `journal-damaged` naming file and remedy for a broken record in the middle.
   */
  read(durableSequence: number, maxMessages: number, maxBytes: number): Promise<JournalMessage[]>;
  close(): Promise<void>;
}
