import { networkOf } from "../devices/index.js";

/** Counts failed logins. */
export interface LoginLimit {
  /** How long this address or this user must still wait, milliseconds; 0 when it may try. Counts the try. */
  take(address: string, user: string): number;
  /** A right password clears what was counted against address and user. */
  succeeded(address: string, user: string): void;
}

/** How many tries a window allows. */
export interface LoginLimits {
  /** Tries of one address (of one network, with IPv6) and of one user within `windowMs`. */
  perAddress: number;
  perUser: number;
  windowMs: number;
}

const mostKeys = 10_000;

/**
 * Makes a counter of login tries, by address and by user.
 * Guarantee: bounded to 20,000 keys, the oldest go first; a clock that jumps back starts the window anew.
 */
export function makeLoginLimit(limits: LoginLimits, clock: () => number): LoginLimit {
  const networks = new Map<string, { count: number; sinceMs: number }>();
  const users = new Map<string, { count: number; sinceMs: number }>();

  const waitFor = (counts: typeof networks, key: string, most: number, now: number): number => {
    const known = counts.get(key);
    const current =
      known && now >= known.sinceMs && now - known.sinceMs < limits.windowMs ? known : undefined;
    if (current && current.count >= most) return limits.windowMs - (now - current.sinceMs);
    counts.delete(key);
    counts.set(key, { count: (current?.count ?? 0) + 1, sinceMs: current?.sinceMs ?? now });
    const oldest = counts.keys().next().value;
    if (counts.size > mostKeys && oldest !== undefined) counts.delete(oldest);
    return 0;
  };
  return {
    take(address, user) {
      const now = clock();
      const wait = waitFor(networks, networkOf(address), limits.perAddress, now);
      return wait > 0 ? wait : waitFor(users, user, limits.perUser, now);
    },
    succeeded(address, user) {
      networks.delete(networkOf(address));
      users.delete(user);
    },
  };
}
