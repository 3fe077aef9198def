import { runInNewContext } from "node:vm";

/** What a call gives; one that would take minutes is ended in the midst of it, after 20 s, and throws. */
export const ended = <T>(call: () => T): T => runInNewContext("call()", { call }, { timeout: 20_000 }) as T;
