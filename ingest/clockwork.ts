import type { Logger } from "pino";

/** Tasks that run again and again. */
export interface Clockwork {
  /** Runs `body` every so many milliseconds, first after `firstMs`, never twice at once; a failure is logged and it goes on. */
  every(ms: number, body: () => Promise<unknown>, firstMs?: number): void;
  /** Starts nothing more and waits for what runs. */
  stop(): Promise<void>;
}

/** Winds up a clockwork. */
export function startClockwork(log: Logger): Clockwork {
  const timers: NodeJS.Timeout[] = [];
  const running = new Set<Promise<void>>();
  return {
    every(ms, body, firstMs) {
      let current: Promise<void> | undefined;
      const run = async (): Promise<void> => {
        try {
          await body();
        } catch (error) {
          log.error({ err: error }, "a periodic task failed");
        }
      };
      const turn = (): void => {
        if (current) return;
        const task = run().finally(() => {
          current = undefined;
          running.delete(task);
        });
        current = task;
        running.add(task);
      };
      timers.push(setInterval(turn, ms).unref());
      if (firstMs !== undefined) timers.push(setTimeout(turn, firstMs).unref());
    },
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await Promise.all(running);
    },
  };
}
