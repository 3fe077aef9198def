import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Answer,
  type CityRegistry,
  type Codec,
  CodecLibrary,
  createValidator,
  type JournalMessage,
  ObiegError,
  openCodecs,
  openRegistry,
  parseCity,
  unitOf,
} from "../../devices/index.js";
import { type Inbox, openAlerts } from "../../ingest/alerts/index.js";
import { localDays } from "../../ingest/ledger.js";
import { Pipeline, type PipelineParts } from "../../ingest/pipeline.js";
import { openRules } from "../../ingest/rules/index.js";
import { type EmbeddedHistory, openHistory } from "../../ingest/stores/history.js";
import { openState, type StateStore } from "../../ingest/stores/state.js";

/** The works without threads, network or journal: messages go in, history comes out. */
export interface TestPipeline {
  pipeline: Pipeline;
  history: EmbeddedHistory;
  registry: CityRegistry;
  library: CodecLibrary;
  state: StateStore;
  alerts: Inbox;
  /** `steadyMs`, once given, is what a steady clock shows; else it is the wall clock. */
  clock: { nowMs: number; steadyMs?: number };
  /** While true, nothing of the state is committed, as on a disk that can't be written. */
  disk: { failsState: boolean };
  /** What was said back to who sent. */
  answers: readonly Answer[];
  /** Numbers a message and takes all of them as one batch. */
  take(
    messages: readonly { topic: string; payload: string | Uint8Array; receivedMs: number }[],
  ): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the works over a city file, in a folder that goes away with it; or over the data folder of a service that ended.
 * `codecOf`: formats of the test's own, before ours; `openIts`: opens the history elsewhere.
 */
export async function openTestPipeline(
  cityText: string,
  nowMs: number,
  dataDir?: string,
  codecOf: (topic: string) => Codec | undefined = () => undefined,
  openIts: typeof openHistory = openHistory,
  onCommitted: PipelineParts["onCommitted"] = () => undefined,
): Promise<TestPipeline> {
  const dir = dataDir ?? mkdtempSync(join(tmpdir(), "obieg-pipeline-"));
  const clock: TestPipeline["clock"] = { nowMs };
  const disk = { failsState: false };
  const opened = openState(join(dir, "state"));
  const state: StateStore = {
    ...opened,
    transaction: (body) =>
      opened.transaction(() => {
        const result = body();
        if (disk.failsState) throw new ObiegError("state-commit", "the disk is full", { retryable: true });
        return result;
      }),
  };
  const registry = openRegistry(state, () => clock.nowMs);
  if (dataDir === undefined)
    await registry.apply(parseCity(cityText, { file: "city.yaml", env: {}, readBeside: () => "" }), "test");
  const history = await openIts({
    dir,
    timeZone: registry.city.timeZone,
    retention: () => Number.POSITIVE_INFINITY,
    classOf: (device) => registry.device(device)?.class,
    unitOf,
    devices: () => registry.devices().map(({ id }) => id),
    everyMsOf: (device) => registry.device(device)?.everyMs,
    sinceMsOf: (device) => registry.device(device)?.sinceMs,
    clock: () => clock.nowMs,
    lateAfterMs: 3_600_000,
  });
  const alerts = openAlerts(state, { clock: () => clock.nowMs, channels: () => registry.channels() });
  const library = new CodecLibrary(state, () => clock.nowMs);
  const codecs = openCodecs(registry, library);
  const answers: Answer[] = [];
  const pipeline = new Pipeline({
    registry,
    codecFor: (topic) => codecOf(topic) ?? codecs(topic),
    validate: createValidator(),
    limits: { futureSkewMs: 300_000 },
    history,
    rules: openRules(state, registry.rules(), registry, {
      unitOf,
      monotonic: () => clock.steadyMs ?? clock.nowMs,
    }),
    recordAlerts: (transitions) => alerts.record(transitions),
    state,
    sinks: [],
    dayOf: localDays(registry.city.timeZone),
    clock: () => clock.nowMs,
    onCommitted,
    answer: (answer) => answers.push(answer),
  });
  let sequence = 0;
  return {
    pipeline,
    history,
    registry,
    library,
    state,
    alerts,
    clock,
    disk,
    answers,
    async take(messages) {
      const numbered = messages.map(({ topic, payload, receivedMs }): JournalMessage => {
        sequence += 1;
        return {
          sequence,
          topic,
          payload: Buffer.from(payload),
          user: "test",
          clientId: "test",
          qos: 1,
          receivedMs,
        };
      });
      if (numbered.length > 0) await pipeline.take(pipeline.understand(numbered));
    },
    async close() {
      alerts.close();
      await history.close();
      await state.close();
      if (dataDir === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** What history holds, as golden cases write it: readings with their time in words, and what was quarantined. */
export async function storedLines({ history }: Pick<TestPipeline, "history">): Promise<object[]> {
  const { items: readings } = await history.readings({ limit: 1_000 });
  const { items: quarantined } = await history.quarantine({ limit: 1_000 });
  return [
    ...readings.map(({ device, quantity, value, unit, timeMs, attributes }) => ({
      device,
      quantity,
      value,
      unit,
      time: new Date(timeMs).toISOString(),
      attributes,
    })),
    ...quarantined.map(({ reason, device, whole, paths }) => ({ quarantined: reason, device, whole, paths })),
  ];
}
