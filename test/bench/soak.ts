// A soak by hand: `npm run soak -- --minutes 30 [--full-speed] [--every 5]`. Exit code 1 when something grows, or something acknowledged isn't stored.
import { readdirSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { queries, startDisturbance } from "./disturbance.js";
import { runLoad } from "./generator.js";
import { trendOf } from "./slope.js";
import { makeFolder, startService, type Target } from "./target.js";
import { memoryOf } from "./usage.js";
import { loadDevices, type Workload } from "./workload.js";

const argument = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const minutes = argument("--minutes", 30);
const everySeconds = argument("--every", 5);
const isFullSpeed = process.argv.includes("--full-speed");
const steadyPerSecond = 200;
/** Messages before what is watched begins: the database's cache is full then, and doesn't fill while one looks. */
const warmUp = 1_000_000;
/**
 * Rounds of all queries before it begins, for the same reason: DuckDB lists the buffers that it might evict, and forgets those that
 * queries gave back only when a list has grown to 32,768 (some 8 MB), of which there are eight. A query over a place leaves some
 * 29 KB, a page of the quarantine 9: measured with 17,000 pages, it grows over the first 9,500 and no more.
 * Source: duckdb/duckdb, src/storage/buffer/buffer_pool.cpp, EvictionQueue::Purge.
 */
const warmUpRounds = 2_500;
/** The API takes 6,000 calls a minute. */
const callMs = 11;
const values = 5;
const token = "token-of-the-benchmark-0123456789";
let begun = performance.now();
const seconds = (): number => (performance.now() - begun) / 1_000;

/** What is watched, and what growth over the second half is still called flat. */
const watched = {
  residentMegabytes: { share: 0.05, least: 10 },
  heapMegabytes: { share: 0.1, least: 8 },
  descriptors: { share: 0.02, least: 4 },
  threads: { share: 0, least: 1 },
  timers: { share: 0.05, least: 4 },
  resources: { share: 0.1, least: 10 },
} as const;
type Sample = Record<keyof typeof watched, number> & { seconds: number; lag: number };

async function sampleOf(target: Target): Promise<Sample> {
  const text = await target.get("/metrics");
  const sum = (pattern: RegExp): number =>
    [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
  return {
    seconds: seconds(),
    residentMegabytes: memoryOf(target.pid).now,
    heapMegabytes: sum(/^obieg_heap_bytes\{.*\} (\S+)$/gm) / 1e6,
    descriptors: readdirSync(`/proc/${target.pid}/fd`).length,
    threads: readdirSync(`/proc/${target.pid}/task`).length,
    timers: sum(/^obieg_active_resources\{.*type="(?:Timeout|Immediate)"\} (\S+)$/gm),
    resources: sum(/^obieg_active_resources\{.*\} (\S+)$/gm),
    lag: sum(/^obieg_pipeline_lag_messages (\S+)$/gm),
  };
}

const columns = ["seconds", ...Object.keys(watched), "lag"] as (keyof Sample)[];
const rowOf = (cells: readonly (string | number)[]): string =>
  `${cells.map((cell) => (typeof cell === "number" ? cell.toFixed(0) : cell).padStart(17)).join(" ")}\n`;

/** Publishes runs of the load, from message `first` on, until the time is over; gives how many messages were acknowledged, and how fast. */
async function load(
  target: Target,
  sinceMs: number,
  first: number,
): Promise<{ messages: number; rates: number[] }> {
  let messages = first;
  const rates: number[] = [];
  while (seconds() < minutes * 60) {
    const size = isFullSpeed ? 200_000 : steadyPerSecond * 30;
    const workload: Workload = { values, first: messages, messages: size, sinceMs };
    const report = await runLoad(target.port, workload, isFullSpeed ? undefined : steadyPerSecond);
    messages += report.acknowledged;
    rates.push(report.perSecond);
  }
  return { messages, rates };
}

interface Account {
  device: string;
  balanced: boolean;
  messages: { received: number };
  values: { stored: number };
}

async function accounts(target: Target): Promise<Account[]> {
  const from = new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10);
  const { items, next } = JSON.parse(await target.get(`/api/v1/ledger?from=${from}&limit=10000`)) as {
    items: Account[];
    next: string | null;
  };
  if (next !== null) throw new Error("the ledger has another page");
  return items;
}

const folder = makeFolder();
// A journal that is soon full: at full speed the service has to push back for most of the time.
const target = await startService(folder, isFullSpeed ? { journalBytes: "384MiB" } : {});
const sinceMs = Date.now() - (isFullSpeed ? 20 * 60 : 50) * 60_000;
const before = await runLoad(target.port, { values, first: 0, messages: warmUp, sinceMs });
await target.until("obieg_pipeline_lag_messages", (lag) => lag === 0);
const disturbance = await startDisturbance(target, token);
for (let n = 0; n < warmUpRounds * queries.length; n += 1) {
  const turn = setTimeout(callMs);
  await target.get(queries[n % queries.length]?.() ?? "");
  await turn;
}
begun = performance.now();
const samples: Sample[] = [];
process.stdout.write(rowOf(columns));
const sampler = setInterval(() => {
  sampleOf(target).then(
    (sample) => {
      samples.push(sample);
      process.stdout.write(rowOf(columns.map((column) => sample[column])));
    },
    (error: unknown) => disturbance.faults.push(String(error)),
  );
}, everySeconds * 1_000);

const { messages, rates } = await load(target, sinceMs, before.acknowledged);
clearInterval(sampler);
await disturbance.stop();
await target.until("obieg_pipeline_lag_messages", (lag) => lag === 0, 3_600_000);
const { counts } = disturbance;
const ledger = await accounts(target);
const received = ledger.reduce((sum, account) => sum + account.messages.received, 0);
const ofLoad = ledger.filter(
  ({ device }) => /^bin-\d+$/.test(device) && Number(device.slice(4)) < loadDevices,
);
const stored = ofLoad.reduce((sum, account) => sum + account.values.stored, 0);
const acknowledged = messages + counts.acknowledged;

const verdicts: [what: string, isGood: boolean, words: string][] = [
  ...Object.entries(watched).map(([name, bound]): [string, boolean, string] => {
    const trend = trendOf(
      samples.map((sample) => ({ seconds: sample.seconds, value: sample[name as keyof typeof watched] })),
      bound,
    );
    const words = `median ${trend.median.toFixed(1)}, grows by ${trend.growth.toFixed(1)} over the second half`;
    return [name, trend.isFlat, words];
  }),
  [
    "acknowledged is accounted for",
    received >= acknowledged && received <= acknowledged + counts.unsure,
    `${acknowledged} acknowledged, ${counts.unsure} cut off, ${received} in the ledger`,
  ],
  ["the load is stored", stored === messages * values, `${stored} of ${messages * values} values`],
  ["the ledger balances", ledger.every(({ balanced }) => balanced), `${ledger.length} accounts`],
  ["nothing went wrong beside", disturbance.faults.length === 0, disturbance.faults.join("; ") || "no fault"],
];
const rate = rates.reduce((sum, one) => sum + one, 0) / rates.length;
process.stdout.write(
  `\n${minutes} min, ${messages} messages of ${values} values at ${rate.toFixed(0)}/s; ` +
    `${counts.calls} calls, ${counts.feeds} feeds, ${counts.refused} strangers\n`,
);
for (const [what, isGood, words] of verdicts)
  process.stdout.write(`${isGood ? "ok  " : "FAIL"}  ${what}: ${words}\n`);
await target.stop();
folder.remove();
process.exitCode = verdicts.every(([, isGood]) => isGood) ? 0 : 1;
