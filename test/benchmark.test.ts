import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { formats } from "../devices/index.js";
import { digits, figure, percentile, resultsText } from "./bench/report.js";
import { encodePackets } from "./bench/packets.js";
import { messageOf, Workloads } from "./bench/workload.js";

const root = join(import.meta.dirname, "..");

test("the benchmark's smoke size measures the whole list, counts what came, and leaves RESULTS.md alone", async () => {
  const before = readFileSync(join(root, "RESULTS.md"), "utf8");
  const script = join(root, "dist/test/bench/main.js");
  const { stdout } = await promisify(execFile)(process.execPath, [script, "--smoke"]);
  for (const what of [
    "acknowledged, of bare aedes' rate",
    "paced at 5,000 a second",
    "published to queryable",
    "CPU seconds per 100,000 messages",
    "time until the sink has all",
    "largest memory",
    "publish to queryable",
    "publish to webhook",
    "sealed history, bytes a value",
    "a device's year of one quantity",
    "a sealed day's series over",
    "start to ready",
    "a backlog of",
    "sink after an outage",
    "LoRaWAN codec of usual size",
    ...["native-json", ...formats.keys()].map((format) => `decoding ${format},`),
  ])
    expect(stdout).toMatch(new RegExp(`\\| ${what}[^|]*\\| [^|]*\\d|burst[^|]*${what}[^|]*\\| [^|]*\\d`));
  expect(stdout).not.toContain("NaN");
  expect(readFileSync(join(root, "RESULTS.md"), "utf8")).toBe(before);
}, 180_000);

test("a figure says whether it keeps its bar, on either side", () => {
  expect(figure("rate", 0.91, { least: 0.9, unit: "x" })).toMatchObject({
    bar: "at least 0.9x",
    holds: true,
  });
  expect(figure("rate", 0.89, { least: 0.9, unit: "x" })).toMatchObject({ holds: false });
  expect(figure("time", 10.1, { most: 10, unit: "ms" })).toMatchObject({
    bar: "at most 10 ms",
    holds: false,
  });
  expect(resultsText("Head.", [figure("time", 12, { most: 10 })])).toContain(
    "| time | 12 | at most 10 | **falls short** |",
  );
  expect([digits(1_234.5), digits(0.123_45), digits(87.65)]).toEqual(["1,235", "0.123", "87.7"]);
  const hundred = Array.from({ length: 100 }, (_, n) => 100 - n);
  expect([percentile(hundred, 0.5), percentile(hundred, 0.99)]).toEqual([51, 100]);
});

test("the load's messages are as long as promised, and no two readings of a device share a time", () => {
  const loads = new Workloads();
  const identities = new Set<string>();
  for (const load of [loads.take(150, 1), loads.take(1_050, 1)]) {
    for (let n = 0; n < load.messages; n += 1) {
      const { topic, payload } = messageOf(load, n);
      expect(payload).toHaveLength(130);
      identities.add(`${topic} ${(JSON.parse(payload) as { time: string }).time}`);
    }
  }
  expect(identities.size).toBe(1_200);
  const load = loads.take(1_003, 5);
  expect(Object.keys(JSON.parse(messageOf(load, 7).payload) as object)).toHaveLength(6);
  const packets = encodePackets(load, 10);
  expect(packets.map(({ count }) => count)).toEqual([101, 101, 101, ...Array.from({ length: 7 }, () => 100)]);
  const [first] = packets;
  const bytes = first?.bytes.subarray(first.offsets[1], first.offsets[2]).toString("latin1") ?? "";
  expect(bytes).toContain(messageOf(load, 10).payload);
});
