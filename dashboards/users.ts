import { randomBytes } from "node:crypto";
import { ObiegError } from "../devices/index.js";
import type { StateStore } from "../ingest/index.js";
import type { Role } from "./api.js";
import { type Audit, openAudit } from "./audit.js";
import { makeHasher, type PasswordHash, type PasswordHasher } from "./password.js";
import { openSessions, type Sessions } from "./sessions.js";
import { openTokens, type Tokens } from "./tokens.js";

/** Somebody who may log in. */
export interface UserRecord {
  name: string;
  role: Role;
  createdMs: number;
}

/** What the first start is told, from the environment. */
export interface AdminInput {
  password?: string | undefined;
  token?: string | undefined;
  /** Make a new password even if there is an admin: the demo prints one at every start. */
  renew?: boolean;
}

/** People, programs and what they did. */
export interface Users {
  readonly audit: Audit;
  readonly sessions: Sessions;
  readonly tokens: Tokens;
  /**
   * Makes the login `admin` unless there is an admin, and sets the token `environment`.
   * Gives the password when one was made up here, to be printed once.
   */
  ensureAdmin(input: AdminInput): Promise<{ password: string | undefined }>;
  find(name: string): UserRecord | undefined;
  list(): UserRecord[];
  /** Adds or changes; without a password an existing one stays. Throws `password-missing`, `password-too-short`, `last-admin`, `too-many-users`. */
  put(user: { name: string; role: Role; password?: string }): Promise<{ user: UserRecord; created: boolean }>;
  /** False when there is none. Throws `last-admin`. */
  remove(name: string): Promise<boolean>;
  /** The user, if the password is right. Throws `login-busy`. */
  check(name: string, password: string): Promise<UserRecord | undefined>;
}

/** How to open users otherwise than usual. */
export interface UsersOptions {
  hasher?: PasswordHasher;
  /** Records that the audit holds at most. */
  auditMost?: number;
}

type KeptUser = UserRecord & { password: PasswordHash };

const most = 1_000;
const shortestPassword = 8;
const adminName = "admin";

/** Opens users, sessions, tokens and audit in `state`. */
export function openUsers(state: StateStore, clock: () => number, options: UsersOptions = {}): Users {
  const hasher = options.hasher ?? makeHasher();
  const table = state.table<KeptUser, string>("users");
  const audit = openAudit(state, clock, options.auditMost);
  const sessions = openSessions(state, clock);
  const tokens = openTokens(state, clock);

  const bare = ({ name, role, createdMs }: KeptUser): UserRecord => ({ name, role, createdMs });
  const all = (): KeptUser[] => [...table.getRange()].map(({ value }) => value);
  const otherAdmins = (name: string): boolean =>
    all().some((user) => user.role === "admin" && user.name !== name);
  const refuseLastAdmin = (name: string): void => {
    if (table.get(name)?.role === "admin" && !otherAdmins(name))
      throw new ObiegError("last-admin", `${name} is the only admin: make another one first`);
  };

  const put: Users["put"] = async ({ name, role, password }) => {
    if (password !== undefined && password.length < shortestPassword)
      throw new ObiegError("password-too-short", `a password has at least ${shortestPassword} characters`);
    const fresh = password === undefined ? undefined : await hasher.make(password);
    return state.transaction(() => {
      const known = table.get(name);
      const kept = fresh ?? known?.password;
      if (!kept) throw new ObiegError("password-missing", `a new user needs a password`);
      if (role !== "admin") refuseLastAdmin(name);
      if (!known && table.getKeysCount() >= most)
        throw new ObiegError("too-many-users", `at most ${most} users: remove one first`);
      const user = { name, role, createdMs: known?.createdMs ?? clock() };
      void table.put(name, { ...user, password: kept });
      if (fresh) sessions.closeAllOf(name);
      return { user, created: !known };
    });
  };

  return {
    audit,
    sessions,
    tokens,
    async ensureAdmin({ password, token, renew = false }) {
      if (token !== undefined) await tokens.set(token, { name: "environment", role: "admin" }, "environment");
      if (!renew && all().some((user) => user.role === "admin")) return { password: undefined };
      const made = password === undefined ? randomBytes(12).toString("base64url") : undefined;
      await put({ name: adminName, role: "admin", password: password ?? made ?? "" });
      await audit.record({
        who: adminName,
        role: "admin",
        address: "local",
        action: "user.put",
        target: adminName,
      });
      return { password: made };
    },
    find: (name) => {
      const user = table.get(name);
      return user && bare(user);
    },
    list: () => all().map(bare),
    put,
    async remove(name) {
      return state.transaction(() => {
        if (!table.get(name)) return false;
        refuseLastAdmin(name);
        void table.remove(name);
        sessions.closeAllOf(name);
        return true;
      });
    },
    async check(name, password) {
      const known = table.get(name);
      const right = await hasher.check(password, known?.password);
      return right && known ? bare(known) : undefined;
    },
  };
}
