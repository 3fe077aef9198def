import { randomBytes } from "node:crypto";
import type { StateStore } from "../ingest/index.js";
import { keyOf } from "./tokens.js";

/** A session as it is kept, by the SHA-256 of its id. */
interface SessionRecord {
  user: string;
  /** When the login was, when it was last used (to the minute), when this id was given; epoch milliseconds. */
  loginMs: number;
  seenMs: number;
  issuedMs: number;
  /** When another id took its place; it is still taken for a moment, for requests already on their way. */
  replacedMs: number | null;
}

/** The sessions of the page. */
export interface Sessions {
  /** Gives the id for the cookie. */
  open(user: string): Promise<string>;
  /** Whose session this is; with `renew`, `renewed` is the id that takes its place from now on, once its time has come. */
  find(id: string, renew: boolean): { user: string; renewed: string | undefined } | undefined;
  close(id: string): Promise<void>;
  /** Ends all sessions of a user; inside the caller's transaction. */
  closeAllOf(user: string): void;
}

const hourMs = 3_600_000;
/** A session ends after this long without use, milliseconds. */
export const idleMs = 12 * hourMs;
/** A session ends this long after its login, whatever its use, milliseconds. */
export const longestMs = 7 * 24 * hourMs;
const rotateMs = hourMs / 4;
const graceMs = 60_000;
const seenEveryMs = 60_000;
const mostOfUser = 50;

const newId = (): string => randomBytes(32).toString("base64url");

/**
 * Opens the table of sessions in `state`.
 * Guarantee: ids are kept only hashed and change every quarter of an hour; a clock that jumps back lengthens no session
 * by more than the jump.
 */
export function openSessions(state: StateStore, clock: () => number): Sessions {
  const table = state.table<SessionRecord, string>("sessions");
  const all = (): { key: string; value: SessionRecord }[] => [...table.getRange()];
  const isOver = (session: SessionRecord, now: number): boolean =>
    now - session.seenMs > idleMs ||
    now - session.loginMs > longestMs ||
    (session.replacedMs !== null && Math.abs(now - session.replacedMs) > graceMs);

  const sweep = (user: string, now: number): void => {
    const own: { key: string; seenMs: number }[] = [];
    for (const { key, value } of all()) {
      if (isOver(value, now)) void table.remove(key);
      else if (value.user === user) own.push({ key, seenMs: value.seenMs });
    }
    own.sort((a, b) => b.seenMs - a.seenMs);
    for (const { key } of own.slice(mostOfUser - 1)) void table.remove(key);
  };

  return {
    async open(user) {
      const id = newId();
      const now = clock();
      await state.transaction(() => {
        sweep(user, now);
        void table.put(keyOf(id), { user, loginMs: now, seenMs: now, issuedMs: now, replacedMs: null });
      });
      return id;
    },
    find(id, renew) {
      const key = keyOf(id);
      const session = table.get(key);
      const now = clock();
      if (!session) return undefined;
      if (isOver(session, now)) {
        void table.remove(key);
        return undefined;
      }
      const { user } = session;
      if (session.replacedMs !== null || !renew) return { user, renewed: undefined };
      if (Math.abs(now - session.issuedMs) >= rotateMs) {
        const renewed = newId();
        table.putSync(keyOf(renewed), { ...session, seenMs: now, issuedMs: now });
        table.putSync(key, { ...session, replacedMs: now });
        return { user, renewed };
      }
      if (Math.abs(now - session.seenMs) >= seenEveryMs) void table.put(key, { ...session, seenMs: now });
      return { user, renewed: undefined };
    },
    async close(id) {
      const session = table.get(keyOf(id));
      if (!session) return;
      await state.transaction(() => {
        for (const { key, value } of all())
          if (value.user === session.user && value.loginMs === session.loginMs) void table.remove(key);
      });
    },
    closeAllOf(user) {
      for (const { key, value } of all()) if (value.user === user) void table.remove(key);
    },
  };
}
