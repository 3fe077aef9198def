import { networkOf } from "../devices/index.js";

/** Counts failed logins, and tokens that are none. */
export interface LoginLimit {
  /** How long this address or this user must still wait, milliseconds; 0 when it may try. Counts the try. */
  take(address: string, user: string): number;
  /** A right password clears what was counted against address and user. */
  succeeded(address: string, user: string): void;
  /** How long the token of this key must wait before it is looked at, milliseconds; 0 when it may be now. */
  waitOfToken(address: string, key: string): number;
  /** Counts what `address` gave as a token and is none. */
  wrongToken(address: string, key: string): void;
  /** Remembers that a token was right from here; clears nothing, as a guesser may have one too. */
  rightToken(address: string, key: string): void;
}

/** How many tries a window allows. */
export interface LoginLimits {
  /** Tries of one address (of one network, with IPv6), by password and by token, and of one user within `windowMs`. */
  perAddress: number;
  perUser: number;
  windowMs: number;
}

interface Count {
  count: number;
  sinceMs: number;
}

const mostKeys = 10_000;

/** Puts `value` last; the oldest goes when there are too many. */
function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.keys().next().value;
  if (map.size > mostKeys && oldest !== undefined) map.delete(oldest);
}

/**
 * Makes a counter of login tries, by address and by user, and of wrong tokens, by address.
 * Passwords and tokens are counted apart: a program with an old token doesn't keep the people of its network from the page.
 * Where too many tokens were wrong, one that was right from the same network before (since the start) is taken on; any other
 * waits unlooked at, the right ones too, as a login does: else the answer would tell a guesser which of his is right.
 * Guarantee: bounded to 40,000 keys, the oldest go first; a clock that jumps back starts the window anew.
 */
export function makeLoginLimit(limits: LoginLimits, clock: () => number): LoginLimit {
  const networks = new Map<string, Count>();
  const users = new Map<string, Count>();
  const wrong = new Map<string, Count>();
  /** Network and key of tokens that were right. */
  const right = new Map<string, true>();

  const current = (counts: Map<string, Count>, key: string, now: number): Count | undefined => {
    const known = counts.get(key);
    return known && now >= known.sinceMs && now - known.sinceMs < limits.windowMs ? known : undefined;
  };
  const waitFor = (counts: Map<string, Count>, key: string, most: number, now: number): number => {
    const known = current(counts, key, now);
    return known && known.count >= most ? limits.windowMs - (now - known.sinceMs) : 0;
  };
  const count = (counts: Map<string, Count>, key: string, now: number): void => {
    const known = current(counts, key, now);
    keep(counts, key, { count: (known?.count ?? 0) + 1, sinceMs: known?.sinceMs ?? now });
  };
  const take = (counts: Map<string, Count>, key: string, most: number, now: number): number => {
    const waitMs = waitFor(counts, key, most, now);
    if (waitMs === 0) count(counts, key, now);
    return waitMs;
  };
  return {
    take(address, user) {
      const now = clock();
      const waitMs = take(networks, networkOf(address), limits.perAddress, now);
      return waitMs > 0 ? waitMs : take(users, user, limits.perUser, now);
    },
    succeeded(address, user) {
      networks.delete(networkOf(address));
      users.delete(user);
    },
    waitOfToken(address, key) {
      const network = networkOf(address);
      return right.has(`${network} ${key}`) ? 0 : waitFor(wrong, network, limits.perAddress, clock());
    },
    wrongToken(address, key) {
      const network = networkOf(address);
      right.delete(`${network} ${key}`);
      count(wrong, network, clock());
    },
    rightToken(address, key) {
      keep(right, `${networkOf(address)} ${key}`, true);
    },
  };
}
