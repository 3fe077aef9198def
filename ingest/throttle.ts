import type { RawRun } from "../devices/index.js";
import type { JournalWriter } from "./journal/port.js";

/** Called when a run of messages is durable, with the last one's sequence, or why it isn't. */
export type Admitted = (error: Error | undefined, sequence: number) => void;

/** What stands between the front door and the journal: admission at the speed that the works can follow. */
export interface Throttle {
  admit(run: RawRun, done: Admitted): void;
  /** The works have processed up to `sequence`. */
  processed(sequence: number): void;
  /** True while acknowledgements are held back: QoS 0 is shed then. */
  readonly underPressure: boolean;
}

/** What the throttle works with. */
export interface ThrottleParts {
  journal: JournalWriter;
  /** Tells the works how far the journal is durable. */
  works: (durableSequence: number) => void;
  /** Share of the journal's bound above which acknowledgements wait for the works. */
  pressureAt?: number;
  /** Messages whose acknowledgement is held back at most; above, the oldest are let go. */
  maxHeld?: number;
}

/**
 * Opens the way into the journal.
 * At `pressureAt` of the journal's bound, what is already durable is acknowledged only as fast as the works process,
 * so that publishers with a window slow down before the bound refuses them.
 * Guarantee: `done` in order; without error only after fdatasync.
 */
export function openThrottle(parts: ThrottleParts): Throttle {
  const { journal, works, pressureAt = 0.7, maxHeld = 200_000 } = parts;
  const held: { done: Admitted; sequence: number; count: number }[] = [];
  let heldFrom = 0;
  let heldMessages = 0;
  let told = 0;
  let telling = false;

  const pressed = (): boolean => journal.status.bytes > journal.status.maxBytes * pressureAt;
  const tell = (): void => {
    telling = false;
    if (journal.durableSequence > told) {
      told = journal.durableSequence;
      works(told);
    }
  };
  /** Lets whole runs go, up to about `most` messages; one at least. */
  const release = (most: number): void => {
    for (let released = 0; heldFrom < held.length && released < most; heldFrom += 1) {
      const { done, sequence, count } = held[heldFrom] ?? { done: () => undefined, sequence: 0, count: 0 };
      released += count;
      heldMessages -= count;
      done(undefined, sequence);
    }
    if (heldFrom === held.length) {
      held.length = 0;
      heldFrom = 0;
    } else if (heldFrom > 10_000) {
      held.splice(0, heldFrom);
      heldFrom = 0;
    }
  };

  let processed = 0;
  return {
    admit(run, done) {
      journal.append(run, (error, sequence) => {
        if (error) {
          done(error, 0);
          return;
        }
        if (!telling) {
          telling = true;
          setImmediate(tell);
        }
        if (held.length > heldFrom || pressed()) {
          if (heldMessages >= maxHeld) release(run.count);
          held.push({ done, sequence, count: run.count });
          heldMessages += run.count;
        } else done(undefined, sequence);
      });
    },
    processed(sequence) {
      const step = processed === 0 ? 1_000 : Math.max(0, sequence - processed);
      processed = sequence;
      release(pressed() ? step : Number.MAX_SAFE_INTEGER);
    },
    get underPressure() {
      return held.length > heldFrom || pressed();
    },
  };
}
