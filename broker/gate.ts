import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { promise as fastq, type queueAsPromised } from "fastq";
import { networkOf } from "../devices/index.js";
import { type Credential, type CredentialSnapshot, toCredential } from "./rights.js";

/** What the gate works with. */
export interface GateOptions {
  credentials: readonly CredentialSnapshot[];
  verify: (secret: string, hash: string) => Promise<boolean>;
  /** Secrets checked at the same time, and how many may wait for it. */
  verifying: number;
  verifyQueue: number;
  /** Wrong secrets of an address (of a network, with IPv6) in a minute; above, it is refused unchecked. */
  failuresPerMinute: number;
  clock: () => number;
}

interface Knock {
  user: string;
  secret: string;
  mac: Buffer;
  hash: string;
  network: string;
  isUnknown: boolean;
}

/** What the gate says of somebody who knocks. */
export type Verdict = Credential | "unknown-user" | "wrong-secret" | "too-many-failures" | "busy";

const textOf = ({ kind, hash, publishesFor, publish, subscribe }: CredentialSnapshot): string =>
  JSON.stringify([kind, hash, publishesFor, publish, subscribe]);

/** Knows who may come in. A secret that was right is remembered by its HMAC, so that a reconnect costs no scrypt. */
export class Gate {
  readonly #key = randomBytes(32);
  readonly #right = new Map<string, { hash: string; mac: Buffer }>();
  readonly #queue: queueAsPromised<Knock, boolean | "too-many-failures">;
  readonly #options: GateOptions;
  /** Wrong secrets by network, of the current minute. */
  readonly #failures = new Map<string, number>();
  #minute = 0;
  #credentials = new Map<string, Credential>();
  /** Secret and rights of each user as text, to see who changed. */
  #texts = new Map<string, string>();

  constructor(options: GateOptions) {
    this.#queue = fastq(async (knock) => this.#verify(knock), options.verifying);
    this.#options = options;
    this.setCredentials(options.credentials);
  }

  /** Replaces all credentials; gives the users who changed or went. */
  setCredentials(snapshots: readonly CredentialSnapshot[]): string[] {
    const before = this.#texts;
    this.#credentials = new Map(snapshots.map((snapshot) => [snapshot.user, toCredential(snapshot)]));
    this.#texts = new Map(snapshots.map((snapshot) => [snapshot.user, textOf(snapshot)]));
    const gone = [...before.keys()].filter((user) => this.#texts.get(user) !== before.get(user));
    for (const user of gone)
      if (this.#right.get(user)?.hash !== this.find(user)?.hash) this.#right.delete(user);
    return gone;
  }

  /** The credential of a user; undefined when there is none any more. */
  find(user: string): Credential | undefined {
    return this.#credentials.get(user);
  }

  /**
   * Checks user and secret; a right secret that is known already is let in whatever comes from its address.
   * A user that there is none of costs what a wrong secret does, so that nobody learns which there are.
   */
  async check(user: string, secret: string, address: string): Promise<Verdict> {
    // Against anybody's hash, where there is no own one.
    const [anybody] = this.#credentials.values();
    const credential = this.#credentials.get(user) ?? anybody;
    if (!credential) return "unknown-user";
    const mac = createHmac("sha256", this.#key).update(`${user}\0${secret}`).digest();
    if (this.#isKnown(user, credential.hash, mac)) return credential;
    if (this.#queue.length() >= this.#options.verifyQueue) return "busy";
    const isUnknown = credential.user !== user;
    const network = networkOf(address);
    const isRight = await this.#queue.push({ user, secret, mac, hash: credential.hash, network, isUnknown });
    if (isRight === "too-many-failures") return isRight;
    if (isUnknown) return "unknown-user";
    // It may have been replaced meanwhile.
    const now = this.#credentials.get(user);
    if (!isRight || now?.hash !== credential.hash) return "wrong-secret";
    this.#right.set(user, { hash: credential.hash, mac });
    return now;
  }

  #isKnown(user: string, hash: string, mac: Buffer): boolean {
    const known = this.#right.get(user);
    return known?.hash === hash && timingSafeEqual(known.mac, mac);
  }

  async #verify(knock: Knock): Promise<boolean | "too-many-failures"> {
    const { user, secret, mac, hash, network, isUnknown } = knock;
    // Another one with the same secret may have been let in while this one waited.
    if (this.#isKnown(user, hash, mac)) return true;
    if (this.#failuresOf(network) >= this.#options.failuresPerMinute) return "too-many-failures";
    const isRight = (await this.#options.verify(secret, hash)) && !isUnknown;
    if (!isRight) this.#failures.set(network, this.#failuresOf(network) + 1);
    return isRight;
  }

  #failuresOf(network: string): number {
    const minute = Math.floor(this.#options.clock() / 60_000);
    if (minute !== this.#minute) this.#failures.clear();
    this.#minute = minute;
    return this.#failures.get(network) ?? 0;
  }
}
