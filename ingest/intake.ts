import type { Logger } from "pino";
import { type JournalMessage, ObiegError } from "../devices/index.js";
import type { Batch } from "./batch.js";
import type { JournalReader } from "./journal/port.js";
import type { Pipeline } from "./pipeline.js";

/** The most that is taken at once. */
export interface BatchSize {
  messages: number;
  bytes: number;
}

/** What the intake works with. */
export interface IntakeParts {
  reader: JournalReader;
  pipeline: Pick<Pipeline, "understand" | "take">;
  /** Journal sequence that history holds already. */
  position: number;
  /** Waited for after a small batch, so that the next one is worth its transaction, milliseconds. */
  lingerMs: number;
  batch: BatchSize;
  /** Of what waits from before the start: nobody waits for it, and the front door has nothing to keep in memory yet. */
  backlog: BatchSize & { upTo: number };
  onPosition(position: number): void;
  log: Logger;
}

/** Draws batches from the journal, as fast as the pipeline takes them. */
export interface Intake {
  /** The door tells how far the journal is durable. */
  wake(durableSequence: number): void;
  readonly status: {
    position: number;
    durable: number;
    fault: { code: string; message: string } | undefined;
  };
  /** Finishes the batch under way. */
  stop(): Promise<void>;
}

/** The next messages: on their way from the journal, read, understood. */
interface Drawn {
  read: Promise<readonly JournalMessage[]>;
  messages?: readonly JournalMessage[];
  batch?: Batch;
}

/** True while so much waits that it should go before what can wait: sinks. */
export function isBehind({ position, durable }: Intake["status"]): boolean {
  return durable - position > 10_000;
}

const retryMs = 1_000;
const smallBatch = 500;

/**
 * Starts to draw. While a batch is being taken the next one is read, and while the disk is at work on it understood; no more than one ahead.
 * A batch that fails is tried again each second, unchanged; what failed stands in `status.fault`.
 * Guarantee: batches in the order of the journal, one at a time; nothing is skipped.
 */
export function startIntake(parts: IntakeParts): Intake {
  const { reader, pipeline, log } = parts;
  let position = parts.position;
  let durable = position;
  let fault: { code: string; message: string } | undefined;
  let stopped = false;
  let wakeUp: (() => void) | undefined;

  const pause = (ms: number | undefined): Promise<void> =>
    new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const failed = (error: unknown, code: string): void => {
    fault = { code: error instanceof ObiegError ? error.code : code, message: (error as Error).message };
  };
  const draw = (after: number): Drawn => {
    const { messages, bytes } = after < parts.backlog.upTo ? parts.backlog : parts.batch;
    const drawn: Drawn = { read: reader.read(durable, messages, bytes) };
    drawn.read.then(
      (messages) => void (drawn.messages = messages),
      // Told where it is waited for.
      () => undefined,
    );
    return drawn;
  };
  const understand = (drawn: Drawn): void => {
    if (!drawn.messages || drawn.batch) return;
    try {
      drawn.batch = pipeline.understand(drawn.messages);
    } catch {
      // What is wrong is found again, and told, when the batch is taken.
    }
  };
  /** What comes after the batch under way. */
  let ahead: Drawn | undefined;

  const takeOne = async (): Promise<number> => {
    const { read, batch } = ahead ?? draw(position);
    ahead = undefined;
    const messages = await read;
    const last = messages.at(-1);
    if (!last) return 0;
    const next = !stopped && durable - last.sequence >= smallBatch ? draw(last.sequence) : undefined;
    ahead = next;
    for (let tries = 0; ; tries += 1) {
      try {
        await pipeline.take(batch ?? pipeline.understand(messages), () => next && understand(next));
        break;
      } catch (error) {
        failed(error, "pipeline-failed");
        const range = { from: messages[0]?.sequence, to: last.sequence };
        log.error({ err: error, tries, ...range }, "a batch failed; trying again");
        if (stopped) throw error;
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
    fault = undefined;
    position = last.sequence;
    parts.onPosition(position);
    return messages.length;
  };

  const run = async (): Promise<void> => {
    for (;;) {
      if (stopped) return;
      if (position >= durable) {
        await pause(undefined);
        continue;
      }
      try {
        const taken = await takeOne();
        if (taken < smallBatch && !stopped)
          await new Promise((resolve) => setTimeout(resolve, parts.lingerMs));
      } catch (error) {
        failed(error, "journal-unreadable");
        log.error({ err: error }, "the journal can't be read");
        if (!stopped) await pause(retryMs);
      }
    }
  };
  const running = run();

  return {
    wake(durableSequence) {
      if (durableSequence <= durable) return;
      durable = durableSequence;
      wakeUp?.();
    },
    get status() {
      return { position, durable, fault };
    },
    async stop() {
      stopped = true;
      wakeUp?.();
      await running;
      await ahead?.read.catch(() => undefined);
      await reader.close();
    },
  };
}
