import { fileURLToPath } from "node:url";
import type { DeviceEntry } from "../registry.js";
import { type HistoryColumn, runFleet, simulateHistory } from "../simulator/index.js";

const seed = 1;
const speed = 60;
const yearMs = 365 * 86_400_000;

/**
 * Path of the demo city: a cut of Kraków that carries no secrets.
 * Guarantee: meant for anonymous devices on loopback; whoever shows its numbers says that they are made.
 */
export function demoCityFile(): string {
  return fileURLToPath(new URL("./city.yaml", import.meta.url));
}

/** First moment of the demo's made-up past: a year before `nowMs`. */
export function demoSinceMs(nowMs: number): number {
  return nowMs - yearMs;
}

/** What the demo's devices would have sent in a span of time, column by column. */
export function demoPast(
  devices: readonly DeviceEntry[],
  span: { fromMs: number; toMs: number },
  timeZone: string,
): Iterable<HistoryColumn> {
  return simulateHistory(devices, { ...span, seed, timeZone });
}

/** Publishes as the demo's devices, anonymously, sixty times as often as they would, going on where their past ends. */
export async function playDemo(
  devices: readonly DeviceEntry[],
  url: string,
  signal: AbortSignal,
): Promise<void> {
  await runFleet({ url, devices, seed, speed, signal, connections: 50 });
}
