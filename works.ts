import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parentPort } from "node:worker_threads";
import pino from "pino";
import { makeBackup } from "./backup.js";
import { applyCity, makeDemoPast } from "./city-start.js";
import { readBuild, readVersion } from "./config.js";
import { runFileName } from "./dashboards/client/address.js";
import { openUsers } from "./dashboards/users.js";
import {
  CodecLibrary,
  createValidator,
  expectedReports,
  openCodecs,
  openRegistry,
  unitOf,
} from "./devices/index.js";
import { openAlerts, startDeliverer } from "./ingest/alerts/index.js";
import { startClockwork } from "./ingest/clockwork.js";
import { writeRunFile } from "./ingest/data-folder.js";
import { type DoorStatus, Figures } from "./ingest/figures.js";
import { type Intake, isBehind, startIntake } from "./ingest/intake.js";
import { openReading } from "./ingest/rebuild.js";
import { localDays } from "./ingest/ledger.js";
import { openMetering } from "./ingest/metering.js";
import { joinPeer, letDoorGoFirst, type Peer } from "./ingest/peer.js";
import type { Announcer } from "./ingest/home-assistant/index.js";
import { Pipeline } from "./ingest/pipeline.js";
import { rejectionsOf } from "./ingest/rejections.js";
import { openSettledTime } from "./ingest/settled-time.js";
import { openRules } from "./ingest/rules/index.js";
import { openHistory } from "./ingest/stores/history.js";
import type { Sink } from "./ingest/stores/port.js";
import { surviveFailedCommits } from "./ingest/stores/commit-fault.js";
import { openState } from "./ingest/stores/state.js";
import { Trimming } from "./ingest/trimming.js";
import { openView } from "./ingest/view.js";
import type { DoorCalls, WorksCalls, WorksOptions, WorksStarted } from "./threads.js";

const tickMs = 1_000;
const maintainMs = 60_000;
/** Soon after the start too: a service that is often restarted seals as well. */
const firstMaintainMs = 5_000;
const demoPastMs = 200;
const firstAnnounceMs = 500;

/** Opens the works: state, registry, history, rules, alerts, sinks, pipeline, API; undone in the mirror order. */
async function openWorks(options: WorksOptions, door: Peer<DoorCalls>) {
  const { config, durableSequence } = options;
  const clock = Date.now;
  const log = pino({ level: options.logLevel, base: null }, pino.destination({ dest: 2, sync: true }));
  const undo: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (let step = undo.pop(); step; step = undo.pop()) await step();
  };
  try {
    const state = openState(join(config.data, "state"));
    undo.push(() => state.close());
    const registry = openRegistry(state, clock);
    const demoFleet = await applyCity(registry, state, {
      data: config.data,
      file: config.city,
      demoNowMs: options.demo ? clock() : undefined,
      build: readBuild(),
    });
    const { demo, timeZone } = registry.city;
    const library = new CodecLibrary(state, clock);

    // It loads while the database opens.
    const serverRoom = import("./dashboards/server.js");
    const history = await openHistory({
      dir: config.data,
      timeZone,
      retention: (deviceClass) =>
        (deviceClass === undefined ? undefined : registry.retentionDays(deviceClass)) ??
        Number.POSITIVE_INFINITY,
      classOf: (device) => registry.device(device)?.class,
      unitOf,
      devices: () => registry.devices().map(({ id }) => id),
      ...expectedReports(registry),
      clock,
      lateAfterMs: config.limits.lateAfter,
      futureSkewMs: config.limits.futureSkew,
      hotDays: config.history.hotDays,
      holdDays: config.history.holdDays,
      onTorn: (facts) => log.warn(facts, "cut the torn end of the database's log"),
      memoryLimit: `${Math.round(config.history.memory / 1e6)}MB`,
    });
    undo.push(() => history.close());
    const past = { registry, history, state, log };
    await makeDemoPast(past, clock());

    const rules = openRules(state, registry.rules(), registry, { monotonic: () => performance.now() });
    const alerts = openAlerts(state, { clock, channels: () => registry.channels() });
    undo.push(() => alerts.close());
    const publish = (topic: string, payload: string, retain: boolean): Promise<void> =>
      door.call("publish", { topic, payload, retain, qos: 1 });

    const isLate = (): boolean => isBehind(intakeStatus());
    const sinks: Sink[] = [];
    if (config.influx) {
      const { openInfluxSink } = await import("./ingest/stores/influx-sink.js");
      const sink = openInfluxSink({ ...config.influx, history, state, registry, log, isBehind: isLate });
      sink.start();
      sinks.push(sink);
      undo.push(() => sink.stop());
    }

    let doorStatus: DoorStatus | undefined;
    let intake: Intake | undefined;
    const intakeStatus = (): Intake["status"] =>
      intake?.status ?? { position: history.position, durable: durableSequence, fault: undefined };
    const trimming = new Trimming({
      position: () => intakeStatus().position,
      processed: (position) => door.tell("processed", position),
      trim: (position) => door.tell("trim", position),
    });
    const figures = new Figures({
      door: () => doorStatus,
      intake: intakeStatus,
      sinks,
      alerts,
      history,
      clock,
      uplinks: () => pipeline.uplinks.all(),
    });
    const dayOf = localDays(timeZone);
    let counted = history.position;
    const pipeline: Pipeline = new Pipeline({
      registry,
      codecFor: openCodecs(registry, library),
      validate: createValidator(),
      limits: { futureSkewMs: config.limits.futureSkew },
      history,
      rules,
      recordAlerts: (transitions) => alerts.record(transitions),
      state,
      sinks,
      dayOf,
      clock,
      onCommitted(values, quarantined) {
        figures.committed(history.position - counted, values, quarantined);
        counted = history.position;
        history.holdFor("rules", rules.position);
        opened.tell({ topic: "readings", values });
        if (quarantined.length > 0) opened.tell({ topic: "quarantine", entries: quarantined });
        for (const { topic, payload } of rejectionsOf(quarantined))
          door.call("publish", { topic, payload, retain: false, qos: 0 }).catch(() => undefined);
      },
      answer({ topic, payload }) {
        door.call("publish", { topic, payload, retain: false, qos: 0 }).catch(() => undefined);
      },
    });
    const opened = openView({
      library,
      history,
      registry,
      alerts,
      meters: openMetering({ history, registry, state, waitMs: config.meters.wait, clock }),
      pipeline,
      figures,
      intake: intakeStatus,
      door: () => doorStatus,
      state,
      sinks,
      accept: (message) => door.call("accept", message),
      backup: (dir) => {
        const sessions = (into: string): Promise<void> => door.call("backup", into);
        const parts = { state, history, dataDir: config.data, sessions };
        return trimming.hold(() => makeBackup(parts, dir, clock()));
      },
      dayOf,
      clock,
    });
    undo.push(alerts.onChange((alert) => opened.tell({ topic: "alerts", alert })));
    const reader = await openReading({
      dataDir: config.data,
      history,
      rules,
      state,
      sinks,
      durableSequence,
      log,
    });
    await pipeline.catchUp();

    undo.push(
      registry.onChange(() => {
        rules.setRules(registry.rules());
        rules.refresh();
        door.tell("credentials", registry.credentials());
      }),
    );
    door.tell("credentials", registry.credentials());

    const users = openUsers(state, clock);
    const { adminPassword: password, adminToken } = options;
    const renew = demo && password === undefined;
    const made = await users.ensureAdmin({ password, token: adminToken, renew });
    const webDir = join(import.meta.dirname, "dashboards/web");
    const { startServer } = await serverRoom;
    const server = await startServer({
      host: config.host,
      ...config.http,
      view: opened.view,
      limits: { connections: options.httpConnections },
      version: readVersion(),
      users,
      log,
      clock,
      ...(existsSync(webDir) ? { webDir } : {}),
    });
    undo.push(() => server.close());
    const token = randomBytes(32).toString("base64url");
    await users.tokens.set(token, { name: "command-line", role: "admin" }, "start");
    undo.push(writeRunFile(join(config.data, runFileName), { http: server.address, token }));

    intake = startIntake({
      reader,
      pipeline,
      position: history.position,
      lingerMs: 20,
      batch: { messages: 3_000, bytes: 1e6 },
      backlog: { messages: 6_000, bytes: 2e6, upTo: durableSequence },
      onPosition: () => trimming.tell(),
      log,
    });
    const running = intake;
    undo.push(() => running.stop().then(() => pipeline.unmapped.save()));
    running.wake(durableSequence);

    const started: WorksStarted = {
      http: server.address,
      login: made.password === undefined ? undefined : { user: "admin", password: made.password },
      demoFleet,
      position: history.position,
    };
    const doorReady = async (): Promise<void> => {
      doorStatus = await door.call("status", undefined);
      trimming.tell();
      const deliverer = startDeliverer({
        outbox: alerts.outbox,
        channels: () => registry.channels(),
        publish,
        fetch,
        clock,
        random: Math.random,
        log,
      });
      undo.push(() => deliverer.stop());
      const clockwork = startClockwork(log);
      undo.push(() => clockwork.stop());
      clockwork.every(tickMs, async () => {
        doorStatus = await door.call("status", undefined);
        const { position, durable } = running.status;
        await pipeline.tick(position >= durable);
      });
      const settled = openSettledTime(state, () => performance.now());
      const maintain = async (): Promise<void> => {
        const settledMs = await settled.look(clock());
        door.tell("settled", settledMs);
        await pipeline.maintain(settledMs);
      };
      clockwork.every(maintainMs, maintain, firstMaintainMs);
      let announcer: Announcer | undefined;
      const announce = async (): Promise<void> => {
        announcer ??= (await import("./ingest/home-assistant/index.js")).openAnnouncer({
          options: config.homeAssistant,
          state,
          registry,
          latest: (devices) => history.latest(devices),
          presenceOf: (device) => pipeline.presence.of(device),
          subscribe: (listener) => opened.view.subscribe(listener),
          publish: (topic, payload) => door.call("publish", { topic, payload, retain: true, qos: 0 }),
          isBehind: isLate,
          clock,
          futureSkewMs: config.limits.futureSkew,
          version: readVersion(),
          log,
        });
        await announcer.tick();
      };
      undo.push(() => announcer?.stop());
      clockwork.every(config.homeAssistant?.every ?? maintainMs, announce, firstAnnounceMs);
      if (demo) clockwork.every(demoPastMs, async () => makeDemoPast(past, clock()));
    };
    return { started, doorReady, intake: running, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Answers the front door's calls; runs only as the thread that threads.ts starts. */
function serve(): void {
  if (!parentPort) return;
  letDoorGoFirst();
  const say = (facts: { msg: string; err?: string }): void =>
    void process.stderr.write(`${JSON.stringify({ level: 50, ...facts })}\n`);
  surviveFailedCommits((why) => say({ msg: `state/works.mdb can't be written: ${why}` }));
  let works: Awaited<ReturnType<typeof openWorks>> | undefined;
  let durable = 0;
  const calls: WorksCalls = {
    async start(options) {
      works = await openWorks(options, door);
      works.intake.wake(durable);
      return works.started;
    },
    durable(sequence) {
      durable = sequence;
      works?.intake.wake(sequence);
    },
    async doorReady() {
      await works?.doorReady();
    },
    async stop() {
      await works?.stop();
    },
  };
  const door: Peer<DoorCalls> = joinPeer<DoorCalls>(parentPort, calls, (error) =>
    say({ msg: "a call of the front door failed", err: String(error) }),
  );
}

serve();
