import { readlinkSync } from "node:fs";
import { constants, setPriority } from "node:os";
import type { MessagePort, Worker } from "node:worker_threads";
import { ObiegError } from "../devices/index.js";

/** The calls that one side answers: name → function of one argument that the structured clone can carry. */
export type Calls = Record<string, (argument: never) => unknown>;

type Wire =
  | { kind: "call"; id: number; name: string; argument: unknown }
  | { kind: "tell"; name: string; argument: unknown }
  | { kind: "answer"; id: number; result: unknown }
  | { kind: "fault"; id: number; code: string; message: string; retryable: boolean };

/** The other thread, as this one sees it. */
export interface Peer<Theirs extends Calls> {
  /** Asks and waits. Throws what the other side threw, as an {@link ObiegError} with its code. */
  call<N extends keyof Theirs & string>(
    name: N,
    argument: Parameters<Theirs[N]>[0],
  ): Promise<Awaited<ReturnType<Theirs[N]>>>;
  /** Tells without waiting. Guarantee: in order. */
  tell<N extends keyof Theirs & string>(name: N, argument: Parameters<Theirs[N]>[0]): void;
}

/**
 * Joins two threads by a message port: each answers the other's calls, in order of arrival.
 * Throws (from `call`) `thread-stopped` when the other side has gone.
 */
export function joinPeer<Theirs extends Calls>(
  port: MessagePort | Worker,
  ours: Calls,
  onFault: (error: unknown) => void,
): Peer<Theirs> {
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  const send = (wire: Wire): void => port.postMessage(wire);

  const answer = async (wire: Wire & { kind: "call" | "tell" }): Promise<void> => {
    try {
      const handler = ours[wire.name] as ((argument: unknown) => unknown) | undefined;
      if (!handler) throw new ObiegError("no-such-call", `the other thread has no call "${wire.name}"`);
      const result = await handler(wire.argument);
      if (wire.kind === "call") send({ kind: "answer", id: wire.id, result });
    } catch (error) {
      if (wire.kind === "tell") {
        onFault(error);
        return;
      }
      const coded = error instanceof ObiegError;
      send({
        kind: "fault",
        id: wire.id,
        code: coded ? error.code : "internal",
        message: error instanceof Error ? error.message : String(error),
        retryable: coded && error.retryable,
      });
    }
  };

  port.on("message", (wire: Wire) => {
    if (wire.kind === "call" || wire.kind === "tell") {
      void answer(wire);
      return;
    }
    const waiter = waiting.get(wire.id);
    waiting.delete(wire.id);
    if (wire.kind === "answer") waiter?.resolve(wire.result);
    else waiter?.reject(new ObiegError(wire.code, wire.message, { retryable: wire.retryable }));
  });
  const ended = (): void => {
    for (const { reject } of waiting.values())
      reject(new ObiegError("thread-stopped", "the other thread has stopped"));
    waiting.clear();
  };
  port.on("close", ended);
  port.on("exit", ended);

  return {
    call: (name, argument) =>
      new Promise((resolve, reject) => {
        lastId += 1;
        waiting.set(lastId, { resolve: resolve as (result: unknown) => void, reject });
        send({ kind: "call", id: lastId, name, argument });
      }),
    tell: (name, argument) => send({ kind: "tell", name, argument }),
  };
}

/**
 * Lets the front door's thread go first where cores are few: what waits for an acknowledgement waits less, and the works
 * catch up from the disk. Linux gives each thread a priority of its own; elsewhere nothing changes.
 */
export function letDoorGoFirst(): void {
  try {
    const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Without the right to it both threads are equal.
  }
}
