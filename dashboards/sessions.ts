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
  /** Whose session this is; `isDue` when its id should be renewed. */
  find(id: string): { user: string; isDue: boolean } | undefined;
  /** Gives the id that takes the place of `id` from now on; undefined when another call did, or the session is over. */
  renew(id: string): Promise<string | undefined>;
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

  /** Notes the use, unless the session was closed meanwhile. */
  const touch = (key: string, now: number): void => {
    state
      .transaction(() => {
        const session = table.get(key);
        if (session) void table.put(key, { ...session, seenMs: now });
      })
      .catch(() => undefined);
  };

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
    find(id) {
      const key = keyOf(id);
      const session = table.get(key);
      const now = clock();
      if (!session || isOver(session, now)) return undefined;
      const { user, replacedMs, issuedMs, seenMs } = session;
      if (replacedMs !== null) return { user, isDue: false };
      if (Math.abs(now - seenMs) >= seenEveryMs) touch(key, now);
      return { user, isDue: Math.abs(now - issuedMs) >= rotateMs };
    },
    async renew(id) {
      const key = keyOf(id);
      const renewed = newId();
      const now = clock();
      const done = await state.transaction(() => {
        const session = table.get(key);
        if (!session || session.replacedMs !== null || isOver(session, now)) return false;
        void table.put(keyOf(renewed), { ...session, seenMs: now, issuedMs: now });
        void table.put(key, { ...session, seenMs: now, replacedMs: now });
        return true;
      });
      return done ? renewed : undefined;
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
