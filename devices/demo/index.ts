import { fileURLToPath } from "node:url";
import type { DeviceEntry } from "../registry.js";
import { type HistoryColumn, productOf, runFleet, simulateHistory } from "../simulator/index.js";

const seed = 1;
const speed = 60;
const dayMs = 86_400_000;
const yearMs = 365 * dayMs;
const pilotMs = 60 * dayMs;

/** What plays the demo: its devices, and the secret that those with credentials of their own come in with. */
export interface DemoFleet {
  devices: readonly DeviceEntry[];
  secret: string;
}

/**
 * Path of the demo city: a cut of Kraków that carries no secrets; it takes one from `OBIEG_DEMO_SECRET`.
 * Guarantee: meant for loopback; whoever shows its numbers says that they are made.
 */
export function demoCityFile(): string {
  return fileURLToPath(new URL("./city.yaml", import.meta.url));
}

/** First moment of the demo's made-up past: a year before `nowMs`. */
export function demoSinceMs(nowMs: number): number {
  return nowMs - yearMs;
}

/** Since when a device of the demo is there: the pilot's products for two months, the others as long as the past is. */
export function demoDeviceSinceMs(device: { model?: string | undefined }, nowMs: number): number {
  return productOf(device) ? nowMs - pilotMs : demoSinceMs(nowMs);
}

/** What the demo's devices would have sent in a span of time, column by column. */
export function demoPast(
  devices: readonly DeviceEntry[],
  span: { fromMs: number; toMs: number },
  timeZone: string,
): Iterable<HistoryColumn> {
  return simulateHistory(devices, { ...span, seed, timeZone });
}

/**
 * Publishes as the demo's devices, sixty times as often as they would, going on where their past ends: anonymously, and as the
 * user that is called like its format where a device is a product. A user that is refused costs the others nothing.
 */
export async function playDemo(
  { devices, secret }: DemoFleet,
  url: string,
  signal: AbortSignal,
): Promise<void> {
  const users = new Map<string | undefined, DeviceEntry[]>();
  for (const device of devices) {
    const user = productOf(device)?.format;
    users.set(user, [...(users.get(user) ?? []), device]);
  }
  const played = [...users].map(([user, own]) => {
    const login = user === undefined ? {} : { loginFor: () => ({ username: user, password: secret }) };
    return runFleet({ url, devices: own, seed, speed, signal, connections: 50, ...login });
  });
  const failed = (await Promise.allSettled(played)).find((one) => one.status === "rejected");
  if (failed) throw failed.reason;
}
