import { Aedes, type Client } from "aedes";
import { Audience } from "./audience.js";
import { standingAlone } from "./own-bytes.js";

/** What of aedes isn't in its types: who stands under which client id. */
interface Register {
  readonly clients: Readonly<Record<string, Client>>;
  registerClient(client: Client): void;
  _finishRegisterClient(client: Client): void;
  unregisterClient(client: Client): void;
}
const register = Aedes.prototype as unknown as Register;

/** True when a connection is over, though aedes may still be letting it in. */
export const isGone = (client: Client): boolean => client.closed || client.conn.destroyed;

/**
 * aedes, with an eye on who listens and on who stands under a client id: a connection that was closed while it was let in
 * never takes the place of another one, and none takes another one's entry away as it goes (aedes looks at ids alone).
 * Source: MQTT 3.1.1, 3.1.4 (a client id has one connection, the last that was let in).
 */
export class Door extends Aedes {
  declare readonly clients: Register["clients"];
  declare readonly persistence: { incomingGetPacket(client: Client, packet: object): Promise<object> };
  readonly audience = new Audience();
  /** What waits to be published to a topic that a retained message goes to. */
  readonly #retaining = new Map<string, Parameters<Aedes["publish"]>[]>();
  /** Who is to stand under an id, while its place is made free. */
  readonly #next = new Map<string, Client>();

  override subscribe(...args: Parameters<Aedes["subscribe"]>): void {
    this.audience.add(args[0], args[1]);
    super.subscribe(...args);
  }

  override unsubscribe(...args: Parameters<Aedes["unsubscribe"]>): void {
    this.audience.remove(args[0], args[1]);
    super.unsubscribe(...args);
  }

  /** Publishes. What goes to a topic waits while a retained message to it is on its way to disk (MQTT 3.1.1, 4.6). */
  override publish(...args: Parameters<Aedes["publish"]>): void {
    const [packet] = args;
    const { topic, retain } = packet;
    // It may stand long in the buffer of who listens.
    packet.payload = standingAlone(packet.payload);
    const waiting = this.#retaining.get(topic);
    if (waiting) waiting.push(args);
    else if (retain) this.#retain(topic, args);
    else super.publish(...args);
  }

  /** Publishes to a topic, and then what waited for it. */
  #retain(topic: string, args: Parameters<Aedes["publish"]>): void {
    const waiting = this.#retaining.get(topic) ?? [];
    this.#retaining.set(topic, waiting);
    const parts = args as unknown[];
    const at = typeof parts[1] === "function" || parts[1] === undefined ? 1 : 2;
    const done = parts[at] as ((error?: Error) => void) | undefined;
    parts[at] = (error?: Error) => {
      const next = waiting.shift();
      // In a turn of its own: one that nobody hears is done at once, and thousands may wait.
      if (next) setImmediate(() => this.#retain(topic, next));
      else this.#retaining.delete(topic);
      done?.(error);
    };
    super.publish(...args);
  }

  /** Called when a client was let in: closes who stands under its id, then {@link _finishRegisterClient}. */
  registerClient(client: Client): void {
    if (isGone(client)) return;
    this.#next.set(client.id, client);
    register.registerClient.call(this, client);
  }

  /** Called when the place is free. */
  _finishRegisterClient(client: Client): void {
    const isNext = this.#next.get(client.id) === client;
    if (isNext) this.#next.delete(client.id);
    if (isGone(client)) return;
    // Another one came meanwhile: the last that was let in stays.
    if (isNext) register._finishRegisterClient.call(this, client);
    else client.close();
  }

  /** Called when a client that was let in goes, whether it ever stood in its place or not. */
  unregisterClient(client: Client): void {
    if (this.clients[client.id] === client) register.unregisterClient.call(this, client);
  }
}
