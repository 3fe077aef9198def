import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectAsync, type MqttClient } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { secrets, testCity } from "./support/city.js";
import { fakeClock } from "./support/fake-clock.js";
import { type Hook, startHook } from "./support/hook.js";
import { makeFolder, type Obieg, removeFolder, startObieg, until } from "./support/obieg.js";

const rule =
  '{ id: bin-full, kind: threshold, class: bin, quantity: fill_percent, above: 90, for: 1m, severity: warning, title: { pl: "Pełny", en: "Full" } }';
const silent =
  '{ id: bin-silent, kind: silent, class: bin, times: 2, severity: warning, title: { pl: "Milczy", en: "Silent" } }';
const dir = makeFolder();
const clockFile = join(dir, "clock");
let hook: Hook;
let obieg: Obieg;
let bin: MqttClient;

/** Sets the service's wall clock off by so many seconds, as seen within a second. */
const setClock = (seconds: number): void => writeFileSync(clockFile, `${seconds < 0 ? "" : "+"}${seconds}\n`);

beforeAll(async () => {
  setClock(0);
  hook = await startHook();
  obieg = await startObieg({
    dir,
    city: testCity({ rules: [rule, silent], hookUrl: hook.url }),
    env: {
      ...secrets,
      ...fakeClock({ FAKETIME_TIMESTAMP_FILE: clockFile, FAKETIME_NO_CACHE: "1" }),
    },
  });
  bin = await connectAsync(`mqtt://127.0.0.1:${obieg.mqttPort}`, {
    username: "bin-1",
    password: secrets.BIN_SECRET,
    reconnectPeriod: 0,
  });
});
afterAll(async () => {
  await bin.endAsync();
  await obieg.stop();
  await hook.stop();
  removeFolder(dir);
});

const items = async <T>(path: string): Promise<T[]> =>
  ((await obieg.api(`/api/v1/${path}`)).body as { items: T[] }).items;
const send = async (n: number): Promise<void> => {
  await bin.publishAsync("readings/bin-1", `{"fill_percent": 95, "weight_kg": ${n}}`, { qos: 1 });
};
interface Reading {
  value: number;
  receivedAt: string;
  sequence: number;
}
const received = async (n: number): Promise<Reading> => {
  const list = await until(
    () => items<Reading>("readings?device=bin-1&quantity=weight_kg"),
    (all) => all.some(({ value }) => value === n),
  );
  return list.find(({ value }) => value === n) as Reading;
};

const cookieOf = (answer: Response): string | undefined =>
  /^obieg_session=[\w-]+/.exec(answer.headers.get("set-cookie") ?? "")?.[0];

test("the running service takes both jumps of its clock: clients stay, order stays, no rule misfires, tokens and pages work", async () => {
  const login = await fetch(`${obieg.httpUrl}/api/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"user": "admin", "password": "a long enough password"}',
  });
  let cookie = cookieOf(login) ?? "";
  /** Asks as a browser does: a cookie that is renewed takes the place of the old one. */
  const whoAmI = async (): Promise<number> => {
    const answer = await fetch(`${obieg.httpUrl}/api/v1/session`, { headers: { cookie } });
    cookie = cookieOf(answer) ?? cookie;
    return answer.status;
  };
  await send(1);
  const first = await received(1);
  const seen = [first];
  for (const [n, seconds, session] of [
    [2, -3_600, 200],
    [3, 0, 200],
    [4, 86_400, 204],
    [5, 0, 200],
  ] as const) {
    setClock(seconds);
    await send(n);
    const reading = await received(n);
    seen.push(reading);
    // The clock was really set.
    const offMs = Date.parse(reading.receivedAt) - Date.now() - seconds * 1_000;
    expect(Math.abs(offMs)).toBeLessThan(60_000);
    expect((await obieg.api("/readyz")).status).toBe(200);
    expect((await obieg.api("/api/v1/overview")).status).toBe(200);
    expect(await whoAmI()).toBe(session);
    expect(await items("alerts")).toEqual([]);
  }
  expect(seen.map(({ sequence }) => sequence)).toEqual(
    seen.map(({ sequence }) => sequence).toSorted((a, b) => a - b),
  );
  expect(bin.connected).toBe(true);
  expect(hook.calls).toEqual([]);
  const accounts = await items<{ balanced: boolean }>("ledger?day=" + new Date().toISOString().slice(0, 10));
  expect(accounts.every(({ balanced }) => balanced)).toBe(true);
});
