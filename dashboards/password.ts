import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { ObiegError } from "../devices/index.js";

/** A password as it is kept; `cost` is scrypt's N. */
export interface PasswordHash {
  salt: Uint8Array;
  hash: Uint8Array;
  cost: number;
}

/** Hashes passwords, a few at a time. */
export interface PasswordHasher {
  make(password: string): Promise<PasswordHash>;
  /** Takes as long for `undefined` (no such user) as for a wrong password, and is false. */
  check(password: string, kept: PasswordHash | undefined): Promise<boolean>;
}

const hashBytes = 32;
const blockSize = 8;
const atOnce = 2;
const waitingMost = 32;

/**
 * Makes a hasher. `cost` (scrypt's N, a power of two) decides time and memory: 128 * 8 * cost bytes each.
 * Throws (from its calls) `login-busy`, retryable, when too many wait.
 * Guarantee: at most two at once, so that logins can't use up the memory of a small box.
 * Source: RFC 7914; OWASP Password Storage Cheat Sheet (N 2^15, r 8, p 3 and what is worth it).
 */
export function makeHasher(cost = 2 ** 15): PasswordHasher {
  let running = 0;
  const waiting: (() => void)[] = [];
  const none: PasswordHash = { salt: randomBytes(16), hash: randomBytes(hashBytes), cost };

  const derive = async (password: string, salt: Uint8Array, n: number): Promise<Buffer> => {
    if (waiting.length >= waitingMost)
      throw new ObiegError("login-busy", "too many logins at once: try again in a moment", {
        retryable: true,
        retryAfterMs: 2_000,
      });
    if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await new Promise<Buffer>((resolve, reject) => {
        const options = { N: n, r: blockSize, p: 3, maxmem: 256 * blockSize * n };
        scrypt(password.normalize("NFKC"), salt, hashBytes, options, (error, key) =>
          error ? reject(error) : resolve(key),
        );
      });
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };

  return {
    async make(password) {
      const salt = randomBytes(16);
      return { salt, hash: await derive(password, salt, cost), cost };
    },
    async check(password, kept) {
      const against = kept ?? none;
      const hash = await derive(password, against.salt, against.cost);
      return timingSafeEqual(hash, against.hash) && kept !== undefined;
    },
  };
}
