import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import type { Broker } from "./broker/index.js";
import type { Config } from "./config.js";
import { ObiegError, type RawMessage, runOf, verifySecret } from "./devices/index.js";
import { startFault } from "./ingest/data-folder.js";
import { lockDataFolder } from "./ingest/folder-lock.js";
import { openJournal } from "./ingest/journal/index.js";
import { joinPeer, type Peer } from "./ingest/peer.js";
import { checkStateFile, requireStateFile, sessionsFault } from "./ingest/stores/state-file.js";
import { Headroom, usedBytesOf } from "./ingest/stores/headroom.js";
import { threadStatus } from "./ingest/thread-status.js";
import { openThrottle } from "./ingest/throttle.js";
import { fitToMachine, readMachine, watchMemory } from "./machine.js";
import type { DoorCalls, WorksCalls, WorksThread } from "./threads.js";

/** What a start needs beside the configuration. */
export interface StartOptions {
  config: Config;
  /** Started already, so that it has loaded when it is needed. */
  works: WorksThread;
  /** True: a demo city may be used when there is no city yet. */
  demo: boolean;
  /** First password and token of `admin`, from the environment. */
  adminPassword: string | undefined;
  adminToken: string | undefined;
  log: Logger;
  clock?: () => number;
}

/** A running Obieg. */
export interface App {
  addresses: { mqtt: string; http: string; ws?: string; tls?: string };
  /** Printed once: the password that a first start (or a demo) made. */
  login: { user: string; password: string } | undefined;
  /** True when the numbers shown are the demo's. */
  demo: boolean;
  /** The demo city's devices, which the simulator plays. */
  demoFleet: Awaited<ReturnType<WorksCalls["start"]>>["demoFleet"];
  /** Rejects when a thread dies; never resolves. */
  failed: Promise<never>;
  /** Stops accepting, finishes what is in flight, closes everything in the mirror order of start. */
  stop(): Promise<void>;
}

const noCounters = {
  connections: 0,
  received: 0,
  acknowledged: 0,
  shed: 0,
  slowed: 0,
  inflightBytes: 0,
  refused: {},
};
const loopback = new Set(["127.0.0.1", "::1", "localhost"]);

/**
 * Starts everything: data folder, journal, works (history, rules, alerts, API, page), broker.
 * Throws `data-folder-in-use`, `descriptors-too-few`, `memory-too-small`, `journal-damaged`, `city-invalid`, `port-in-use`,
 * `disk-full`, with nothing left running.
 */
export async function start(options: StartOptions): Promise<App> {
  const { config, log } = options;
  const { worker, failed } = options.works;
  const clock = options.clock ?? Date.now;
  const stack: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (let undo = stack.pop(); undo; undo = stack.pop()) await undo();
  };
  try {
    const folder = await lockDataFolder(config.data);
    stack.push(() => folder.release());

    /** Nothing is old before the works have told the time. */
    let settledMs = Number.NEGATIVE_INFINITY;
    const machine = readMachine(config);
    const fit = fitToMachine(config, machine);
    for (const warning of fit.warnings) log.warn(warning);
    const memory = watchMemory(machine.memoryBytes);
    stack.push(() => memory.stop());

    stack.push(async () => void (await worker.terminate()));
    const brokerRoom = import("./broker/index.js");

    const journal = await openJournal({
      dir: join(config.data, "journal"),
      archiveDir: join(config.data, "archive"),
      segmentBytes: config.journal.segmentBytes,
      maxBytes: config.journal.maxBytes,
      archive: { maxDays: config.journal.archiveDays, maxBytes: config.journal.archiveBytes },
      clock: () => settledMs,
      log,
    });
    stack.push(() => journal.close());

    requireStateFile(join(config.data, "state", "works.mdb"), journal.durableSequence > 0);
    checkStateFile(join(config.data, "state", "broker.mdb"), sessionsFault);

    /** Before that, a message could get a number that history has passed. */
    let isJournalReady = false;
    let broker: Broker | undefined;
    let credentials: Parameters<DoorCalls["credentials"]>[0] = [];
    const throttle = openThrottle({ journal, works: (sequence) => works.tell("durable", sequence) });
    const calls: DoorCalls = {
      processed: (sequence) => throttle.processed(sequence),
      trim: (sequence) => journal.trim(sequence),
      settled: (timeMs) => void (settledMs = timeMs),
      credentials: (list) => {
        credentials = list;
        broker?.setCredentials(list);
      },
      publish: async (message) => {
        if (!broker) throw new ObiegError("broker-stopped", "the broker isn't running", { retryable: true });
        await broker.publish(message);
      },
      accept: async (message: RawMessage) => {
        if (!isJournalReady)
          throw new ObiegError("journal-closed", "the journal isn't open yet", { retryable: true });
        return new Promise<number>((resolve, reject) =>
          throttle.admit(runOf(message), (error, sequence) => (error ? reject(error) : resolve(sequence))),
        );
      },
      backup: async (dir) => broker?.backup(dir),
      status: () => ({
        thread: threadStatus(),
        journal: { ...journal.status },
        broker: broker?.counters() ?? noCounters,
      }),
    };
    const works: Peer<WorksCalls> = joinPeer<WorksCalls>(worker, calls, (error) =>
      log.error({ err: error }, "a call of the works failed"),
    );
    stack.push(() => Promise.race([works.call("stop", undefined), failed]).catch(() => undefined));
    const started = await Promise.race([
      works.call("start", {
        config,
        demo: options.demo,
        adminPassword: options.adminPassword,
        adminToken: options.adminToken,
        httpConnections: fit.httpConnections,
        logLevel: log.level as Config["logLevel"],
        durableSequence: journal.durableSequence,
      }),
      failed,
    ]);
    await journal.skipTo(started.position);
    isJournalReady = true;

    const { mqtt } = config;
    const sessionsRoom = new Headroom(join(config.data, "state", "broker.mdb"), 2 ** 20);
    const { startBroker } = await brokerRoom;
    broker = await startBroker({
      host: config.host,
      port: mqtt.port,
      dir: join(config.data, "state"),
      lackOfRoom: (root) => sessionsRoom.lack(usedBytesOf(root)),
      ...(mqtt.wsPort === undefined ? {} : { wsPort: mqtt.wsPort }),
      ...(mqtt.tls
        ? {
            tls: {
              port: mqtt.tls.port,
              cert: readFileSync(mqtt.tls.certFile),
              key: readFileSync(mqtt.tls.keyFile),
            },
          }
        : {}),
      limits: {
        ...fit.broker,
        connectionsPerAddress: config.limits.connectionsPerAddress,
        messageBytes: config.limits.messageBytes,
        messagesPerSecond: config.limits.messagesPerSecond,
        messageBurst: config.limits.messagesPerSecond * 10,
      },
      admit: (run, done) => throttle.admit(run, done),
      underPressure: () => throttle.underPressure || memory.isTight(),
      isTight: memory.isTight,
      credentials,
      verify: verifySecret,
      anonymous: started.demoFleet !== undefined && loopback.has(config.host),
      clock,
      log,
    });
    const { addresses } = broker;
    stack.push(() => broker?.close());
    await works.call("doorReady", undefined);

    const show = (address: { host: string; port: number }): string =>
      `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
    return {
      addresses: {
        mqtt: show(addresses.mqtt),
        http: started.http,
        ...(addresses.ws ? { ws: `ws://${show(addresses.ws)}` } : {}),
        ...(addresses.tls ? { tls: show(addresses.tls) } : {}),
      },
      login: started.login,
      demo: started.demoFleet !== undefined,
      demoFleet: started.demoFleet,
      failed,
      stop,
    };
  } catch (error) {
    await stop();
    await worker.terminate();
    throw startFault(config.data, error);
  }
}
