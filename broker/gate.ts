import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { promise as fastq, type queueAsPromised } from "fastq";
import { type Credential, type CredentialSnapshot, toCredential } from "./rights.js";

/** What the gate works with. */
export interface GateOptions {
  credentials: readonly CredentialSnapshot[];
  verify: (secret: string, hash: string) => Promise<boolean>;
  /** Secrets checked at the same time, and how many may wait for it. */
  verifying: number;
  verifyQueue: number;
  /** Wrong secrets of an address in a minute; above, it is refused unchecked. */
  failuresPerMinute: number;
  clock: () => number;
}

interface Knock {
  secret: string;
  hash: string;
  address: string;
}

/** What the gate says of somebody who knocks. */
export type Verdict = Credential | "unknown-user" | "wrong-secret" | "too-many-failures" | "busy";

/** Knows who may come in. A secret that was right is remembered by its HMAC, so that a reconnect costs no scrypt. */
export class Gate {
  readonly #key = randomBytes(32);
  readonly #right = new Map<string, { hash: string; mac: Buffer }>();
  readonly #queue: queueAsPromised<Knock, boolean | "too-many-failures">;
  readonly #options: GateOptions;
  /** Wrong secrets by address, of the current minute. */
  readonly #failures = new Map<string, number>();
  #minute = 0;
  #credentials = new Map<string, Credential>();

  constructor(options: GateOptions) {
    this.#queue = fastq(async (knock) => this.#verify(knock), options.verifying);
    this.#options = options;
    this.setCredentials(options.credentials);
  }

  /** Replaces all credentials; gives the users who changed or went. */
  setCredentials(snapshots: readonly CredentialSnapshot[]): string[] {
    const before = this.#credentials;
    this.#credentials = new Map(snapshots.map((snapshot) => [snapshot.user, toCredential(snapshot)]));
    const gone = [...before].filter(([user, { hash }]) => this.#credentials.get(user)?.hash !== hash);
    for (const [user] of gone) this.#right.delete(user);
    return gone.map(([user]) => user);
  }

  /** The credential of a user; undefined when there is none any more. */
  find(user: string): Credential | undefined {
    return this.#credentials.get(user);
  }

  /** Checks user and secret; a right secret that is known already is let in whatever comes from its address. */
  async check(user: string, secret: string, address: string): Promise<Verdict> {
    const credential = this.#credentials.get(user);
    if (!credential) return "unknown-user";
    const mac = createHmac("sha256", this.#key).update(`${user}\0${secret}`).digest();
    const known = this.#right.get(user);
    if (known && known.hash === credential.hash && timingSafeEqual(known.mac, mac)) return credential;
    if (this.#queue.length() >= this.#options.verifyQueue) return "busy";
    const isRight = await this.#queue.push({ secret, hash: credential.hash, address });
    if (isRight !== true) return isRight || "wrong-secret";
    this.#right.set(user, { hash: credential.hash, mac });
    return credential;
  }

  async #verify({ secret, hash, address }: Knock): Promise<boolean | "too-many-failures"> {
    if (this.#failuresOf(address) >= this.#options.failuresPerMinute) return "too-many-failures";
    const isRight = await this.#options.verify(secret, hash);
    if (!isRight) this.#failures.set(address, this.#failuresOf(address) + 1);
    return isRight;
  }

  #failuresOf(address: string): number {
    const minute = Math.floor(this.#options.clock() / 60_000);
    if (minute !== this.#minute) this.#failures.clear();
    this.#minute = minute;
    return this.#failures.get(address) ?? 0;
  }
}
