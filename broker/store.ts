import { join } from "node:path";
import type { StoredPacket as Kept } from "aedes-persistence/asyncPersistence.js";
import { type Database, open, type RootDatabase } from "lmdb";
import type { OutKey } from "./queues.js";
import type { Session } from "./session.js";

/** `broker.mdb`, as the room's README describes it. */
export class Store {
  readonly root: RootDatabase;
  readonly retained: Database<Kept, string>;
  readonly sessions: Database<Session, string>;
  readonly outgoing: Database<Kept, OutKey>;
  readonly incoming: Database<Kept, [clientId: string, messageId: number]>;
  readonly wills: Database<Kept, string>;

  /** Opens it in a folder, or makes it. */
  constructor(dir: string) {
    this.root = open({ path: join(dir, "broker.mdb"), noSubdir: true, maxDbs: 8, overlappingSync: false });
    this.retained = this.root.openDB({ name: "retained" });
    this.sessions = this.root.openDB({ name: "sessions" });
    this.outgoing = this.root.openDB({ name: "outgoing" });
    this.incoming = this.root.openDB({ name: "incoming" });
    this.wills = this.root.openDB({ name: "wills" });
  }

  /** Copies it into an existing folder while it is in use. */
  async backup(dir: string): Promise<void> {
    await this.root.flushed;
    await this.root.backup(join(dir, "broker.mdb"), true);
  }

  /** Resolves when everything so far is on disk. The file stays open: what aedes still does with connections that went may come behind. */
  async settled(): Promise<void> {
    await this.root.transaction(() => undefined);
    await this.root.flushed;
  }
}
