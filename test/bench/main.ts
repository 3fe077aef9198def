import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { runLoad, type LoadReport } from "./generator.js";
import { devices, startBare, startService, type Target } from "./target.js";

const isSmoke = process.argv.includes("--smoke");
const rounds = isSmoke ? 1 : 3;
const acknowledgeMessages = isSmoke ? 20_000 : 300_000;
const burstMessages = isSmoke ? 20_000 : 1_000_000;
const sinceMs = Date.parse("2026-11-01T00:00:00Z");
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const login = { user: "load", password: "secret of the load" };
const median = (list: number[]): number => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;

let sent = 0;
/** A bin's reading of 130 bytes with one value, or with five; each of a time of its own. */
const message = (values: 1 | 5) => (): { topic: string; payload: string } => {
  const n = sent++;
  const time = new Date(sinceMs + Math.floor(n / devices) * 1_000).toISOString();
  const fill = n % 100;
  const payload =
    values === 1
      ? `{"time":"${time}","fill_percent":${fill},"fraction":"bio"${" ".repeat(62)}}`
      : `{"time":"${time}","fill_percent":${fill},"temperature_celsius":11.${n % 10},"battery_v":3.6,"weight_kg":${fill},"rssi_dbm":-80}`;
  return { topic: `readings/bin-${n % devices}`, payload };
};

async function acknowledging(target: Target): Promise<LoadReport> {
  return runLoad({
    ...login,
    port: target.port,
    connections: 10,
    messages: acknowledgeMessages,
    window: 1_000,
    message: message(1),
  });
}

async function drained(target: Target, from: number): Promise<void> {
  while (
    (await target.metric("obieg_messages_acknowledged_total")) < from ||
    (await target.metric("obieg_pipeline_lag_messages")) > 0
  )
    await new Promise((resolve) => setTimeout(resolve, 100));
}

const rows: [what: string, ours: string, bar: string][] = [];

async function acknowledgePath(): Promise<number> {
  const [bare, ours] = [await startBare(), await startService()];
  const rates: { bare: number[]; ours: number[] } = { bare: [], ours: [] };
  await acknowledging(bare);
  await acknowledging(ours);
  for (let round = 0; round < rounds; round += 1) {
    await drained(ours, 0);
    rates.bare.push((await acknowledging(bare)).perSecond);
    rates.ours.push((await acknowledging(ours)).perSecond);
    say(
      `acknowledged a second, round ${round + 1}: bare ${rates.bare.at(-1)?.toFixed(0)}, ours ${rates.ours.at(-1)?.toFixed(0)}`,
    );
  }
  await drained(ours, 0);
  const paced = await runLoad({
    ...login,
    port: ours.port,
    connections: 10,
    messages: isSmoke ? 5_000 : 50_000,
    window: 1_000,
    perSecond: 5_000,
    message: message(1),
  });
  await bare.stop();
  await ours.stop();
  const [a, b] = [median(rates.bare), median(rates.ours)];
  rows.push([
    "acknowledged, of bare aedes' rate",
    `${(b / a).toFixed(2)}x (${b.toFixed(0)} of ${a.toFixed(0)} a second)`,
    "0.9x",
  ]);
  rows.push([
    "paced at 5,000 a second: p50, p99 to PUBACK",
    `${paced.p50.toFixed(1)} ms, ${paced.p99.toFixed(1)} ms`,
    "p99 10 ms",
  ]);
  return a;
}

async function burst(bareRate: number): Promise<void> {
  const target = await startService();
  const cpu = target.cpuSeconds();
  const begun = performance.now();
  const report = await runLoad({
    ...login,
    port: target.port,
    connections: 10,
    messages: burstMessages,
    window: 1_000,
    message: message(5),
  });
  say(`burst acknowledged: ${report.perSecond.toFixed(0)} a second`);
  while ((await target.metric("obieg_values_stored_total")) < burstMessages * 5)
    await new Promise((resolve) => setTimeout(resolve, 100));
  const seconds = (performance.now() - begun) / 1_000;
  const used = ((target.cpuSeconds() - cpu) / burstMessages) * 100_000;
  const { items } = JSON.parse(await target.get("/api/v1/ledger")) as {
    items: { balanced: boolean; values: { stored: number } }[];
  };
  const stored = items.reduce((sum, { values }) => sum + values.stored, 0);
  if (stored !== burstMessages * 5 || items.some(({ balanced }) => !balanced))
    throw new Error(`the ledger says ${stored} values`);
  const rate = burstMessages / seconds;
  rows.push([
    `burst of ${burstMessages.toLocaleString("en")} messages of 5 values, published to queryable, of bare aedes' rate`,
    `${(rate / bareRate).toFixed(2)}x (${rate.toFixed(0)} a second)`,
    "0.35x",
  ]);
  rows.push(["CPU seconds per 100,000 messages", used.toFixed(2), "3"]);
  rows.push(["largest memory, door and works together", `${target.peakMegabytes().toFixed(0)} MB`, "300 MB"]);
  await target.stop();
}

const bareRate = await acknowledgePath();
await burst(bareRate);
const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as {
  version: string;
};
const text = `# Results

Written by \`npm run bench\`: obieg ${version}, Node ${process.versions.node}, ${cpus().length} cores (${cpus()[0]?.model ?? ""}), the generator on the same machine. QoS 1 over 10 connections; bare is aedes 1.2 that acknowledges with nothing behind it, in alternating runs. Everything is on: validation, ledger, rules, history.

| what | measured | bar |
| --- | --- | --- |
${rows.map((row) => `| ${row.join(" | ")} |`).join("\n")}
`;
process.stdout.write(text);
if (!isSmoke) writeFileSync(join(import.meta.dirname, "../../../RESULTS.md"), text);
