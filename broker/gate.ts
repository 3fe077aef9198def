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
}

/** What the gate says of somebody who knocks. */
export type Verdict = Credential | "unknown-user" | "wrong-secret" | "busy";

/** Knows who may come in. A secret that was right is remembered by its HMAC, so that a reconnect costs no scrypt. */
export class Gate {
  readonly #key = randomBytes(32);
  readonly #right = new Map<string, { hash: string; mac: Buffer }>();
  readonly #queue: queueAsPromised<{ secret: string; hash: string }, boolean>;
  readonly #maxWaiting: number;
  #credentials = new Map<string, Credential>();

  constructor(options: GateOptions) {
    this.#queue = fastq(({ secret, hash }) => options.verify(secret, hash), options.verifying);
    this.#maxWaiting = options.verifyQueue;
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

  /** Checks user and secret, in a time that doesn't tell how right they are. */
  async check(user: string, secret: string): Promise<Verdict> {
    const credential = this.#credentials.get(user);
    if (!credential) return "unknown-user";
    const mac = createHmac("sha256", this.#key).update(`${user}\0${secret}`).digest();
    const known = this.#right.get(user);
    if (known && known.hash === credential.hash && timingSafeEqual(known.mac, mac)) return credential;
    if (this.#queue.length() >= this.#maxWaiting) return "busy";
    if (!(await this.#queue.push({ secret, hash: credential.hash }))) return "wrong-secret";
    this.#right.set(user, { hash: credential.hash, mac });
    return credential;
  }
}
