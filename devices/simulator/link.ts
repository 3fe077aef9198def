import type { MqttClient } from "mqtt";
import { ObiegError } from "../error.js";
import type { WireMessage } from "./encoders/encoder.js";

/** Who a connection comes in as. */
export interface Login {
  username: string;
  password: string;
}

/** What a connection says and hears beside the readings of its devices. */
export interface Manners {
  /** Said each time it has come in. */
  greet: () => WireMessage[];
  /** What the broker shall say when it is lost; asked before each connection. */
  will: () => WireMessage | undefined;
  /** Topic filters that it listens to. */
  hears: readonly string[];
  answer: (topic: string, payload: Buffer) => WireMessage[];
}

/** What {@link openLink} needs. */
export interface LinkOptions {
  /** `mqtt://`, `mqtts://`, `ws://` or `wss://`, with host and port. */
  url: string;
  clientId: string;
  login: Login | undefined;
  manners: Manners;
  /** Publications that may wait for their PUBACK at once. */
  inFlight: number;
  /** How long to try the first connection, milliseconds. */
  connectMs: number;
  /** Pause before a lost connection is tried again, milliseconds. */
  reconnectMs: number;
  /** Called whenever it may have room again. */
  onRoom: () => void;
}

/** One MQTT connection that publishes with QoS 1. */
export interface Link {
  readonly hasRoom: boolean;
  readonly waiting: number;
  readonly reconnects: number;
  /** Why the broker won't have it any more; undefined while it will. */
  readonly refusal: string | undefined;
  /**
   * Publishes with QoS 1; `acknowledged` runs after the PUBACK.
   * Guarantee: what has no PUBACK when the connection is lost is sent again after the next CONNACK.
   */
  publish(message: WireMessage, acknowledged: () => void): void;
  /** Leaves at once; what waits for a PUBACK is given up. */
  close(): Promise<void>;
}

/**
 * Connects and waits for the CONNACK.
 * Throws `simulator-refused` (wrong login), `simulator-unreachable` (retryable; nothing answered within `connectMs`).
 */
export async function openLink(options: LinkOptions): Promise<Link> {
  // Loaded where it is used: a service that plays no devices starts faster and smaller without it.
  const { connect } = await import("mqtt");
  const { will, greet, hears, answer } = options.manners;
  const lastWill = () => {
    const message = will();
    if (!message) return {};
    const { topic, payload, retain = false } = message;
    return { will: { topic, payload: Buffer.from(payload), qos: 1 as const, retain } };
  };
  const client = connect(options.url, {
    clientId: options.clientId,
    protocolVersion: 4,
    clean: true,
    keepalive: 60,
    reconnectPeriod: options.reconnectMs,
    connectTimeout: options.connectMs,
    ...options.login,
    ...lastWill(),
  });
  let connects = 0;
  let waiting = 0;
  // `connect` comes once what the last connection left unanswered was sent again; until then a publication would be given up
  // with the connection.
  let isReady = false;
  const again: (() => void)[] = [];
  let refusal: string | undefined;
  const publish = ({ topic, payload, retain }: WireMessage, acknowledged: () => void): void => {
    waiting += 1;
    const send = (): void => {
      client.publish(topic, payload, { qos: 1, retain: retain === true }, (error) => {
        if (error && !client.disconnecting) return void again.push(send);
        waiting -= 1;
        if (!error) acknowledged();
        options.onRoom();
      });
    };
    send();
  };
  const sayAll = (messages: readonly WireMessage[]): void =>
    messages.forEach((message) => publish(message, () => undefined));
  client.on("connect", () => {
    connects += 1;
    isReady = true;
    if (hears.length > 0) client.subscribe([...hears], { qos: 1 });
    sayAll(greet());
    for (const send of again.splice(0)) send();
    options.onRoom();
  });
  client.on("message", (topic, payload) => sayAll(answer(topic, payload)));
  client.on("reconnect", () => Object.assign(client.options, lastWill()));
  client.on("close", () => {
    isReady = false;
  });
  client.on("error", (error) => {
    if (!isRefusal(error)) return;
    refusal = error.message;
    client.end(true);
    options.onRoom();
  });
  await firstConnect(client, options);
  return {
    get hasRoom() {
      return isReady && refusal === undefined && waiting < options.inFlight;
    },
    get waiting() {
      return waiting;
    },
    get reconnects() {
      return connects - 1;
    },
    get refusal() {
      return refusal;
    },
    publish,
    close: () => (refusal === undefined ? client.endAsync(true) : Promise.resolve()),
  };
}

/** CONNACK 2 identifier rejected, 4 bad user name or password, 5 not authorised. Source: MQTT 3.1.1, table 3.1. */
function isRefusal(error: Error): boolean {
  return "code" in error && typeof error.code === "number" && [2, 4, 5].includes(error.code);
}

function firstConnect(client: MqttClient, options: LinkOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let last: Error | undefined;
    const fail = (code: string, text: string, retryable: boolean): void => {
      clearTimeout(timer);
      client.end(true);
      reject(new ObiegError(code, text, { retryable, cause: last, detail: { url: options.url } }));
    };
    const timer = setTimeout(
      () => fail("simulator-unreachable", `no MQTT broker answered at ${options.url}; is it running?`, true),
      options.connectMs,
    );
    client.on("error", (error) => {
      last = error;
      if (isRefusal(error))
        fail(
          "simulator-refused",
          `the broker refused ${options.login?.username ?? "an anonymous device"}: ${error.message}`,
          false,
        );
    });
    client.once("connect", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
