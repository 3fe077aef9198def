import { createHash, randomBytes } from "node:crypto";
import { ObiegError } from "../devices/index.js";
import type { StateStore } from "../ingest/index.js";
import type { Role } from "./api.js";

/** A token as it is kept: by the SHA-256 of its secret, which is random or long, so that no slow hash is needed. */
export interface TokenRecord {
  id: string;
  name: string;
  role: Role;
  publishesFor: string[];
  createdMs: number;
  createdBy: string;
  expiresMs: number | null;
  usedMs: number | null;
}

/** What somebody asks for; without `publishesFor` it publishes only as its role allows. */
export interface TokenInput {
  name: string;
  role: Role;
  publishesFor?: string[];
  expiresMs?: number;
}

/** The tokens of programs. */
export interface Tokens {
  /** Throws `token-exists` for a name in use, `too-many-tokens`. */
  create(input: TokenInput, by: string): Promise<TokenRecord & { token: string }>;
  /** Makes `secret` the only token of this name. Throws `token-too-short` under 24 characters. */
  set(secret: string, input: TokenInput, by: string): Promise<TokenRecord>;
  list(): TokenRecord[];
  /** False when there is none with this id. */
  remove(id: string): Promise<boolean>;
  /** The token of this secret, unless expired; remembers its use, to the minute. */
  find(secret: string): TokenRecord | undefined;
}

const most = 1_000;
const shortest = 24;
const usedEveryMs = 60_000;

/** SHA-256 of a secret, hexadecimal: the key under which tokens and sessions are kept. */
export const keyOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** Opens the table of tokens in `state`. */
export function openTokens(state: StateStore, clock: () => number): Tokens {
  const table = state.table<TokenRecord, string>("tokens");
  const all = (): { key: string; value: TokenRecord }[] => [...table.getRange()];
  /** Notes the use, unless the token was removed meanwhile. */
  const touch = (key: string, now: number): void => {
    state
      .transaction(() => {
        const record = table.get(key);
        if (record) void table.put(key, { ...record, usedMs: now });
      })
      .catch(() => undefined);
  };
  const recordOf = (input: TokenInput, by: string): TokenRecord => ({
    id: randomBytes(8).toString("hex"),
    name: input.name,
    role: input.role,
    publishesFor: input.publishesFor ?? [],
    createdMs: clock(),
    createdBy: by,
    expiresMs: input.expiresMs ?? null,
    usedMs: null,
  });

  return {
    async create(input, by) {
      const token = `obieg_${randomBytes(32).toString("base64url")}`;
      const record = recordOf(input, by);
      await state.transaction(() => {
        const known = all();
        if (known.length >= most)
          throw new ObiegError("too-many-tokens", `at most ${most} tokens: remove one that isn't used`);
        if (known.some(({ value }) => value.name === input.name))
          throw new ObiegError(
            "token-exists",
            `there is a token ${input.name}: remove it, or take another name`,
          );
        void table.put(keyOf(token), record);
      });
      return { ...record, token };
    },
    async set(secret, input, by) {
      if (secret.length < shortest)
        throw new ObiegError(
          "token-too-short",
          `a token has at least ${shortest} characters: give OBIEG_ADMIN_TOKEN what openssl rand -hex 32 prints`,
        );
      const known = table.get(keyOf(secret));
      if (known && known.name === input.name && known.role === input.role) return known;
      const record = recordOf(input, by);
      await state.transaction(() => {
        for (const { key, value } of all()) if (value.name === input.name) void table.remove(key);
        void table.put(keyOf(secret), record);
      });
      return record;
    },
    list: () => all().map(({ value }) => value),
    async remove(id) {
      const found = all().find(({ value }) => value.id === id);
      if (!found) return false;
      await state.transaction(() => void table.remove(found.key));
      return true;
    },
    find(secret) {
      const key = keyOf(secret);
      const record = table.get(key);
      const now = clock();
      if (!record || (record.expiresMs !== null && now >= record.expiresMs)) return undefined;
      if (record.usedMs === null || Math.abs(now - record.usedMs) >= usedEveryMs) touch(key, now);
      return record;
    },
  };
}
