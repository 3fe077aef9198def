import fc from "fast-check";
import { expect, test } from "vitest";
import type { Codec, DeviceFields } from "../devices/index.js";
import { nativeJson } from "../devices/formats/native-json.js";
import { openEntries } from "../ingest/open-entries.js";
import { accountsOf } from "./support/accounts.js";
import { openTestPipeline } from "./support/pipeline.js";

const nowMs = Date.parse("2026-11-23T10:00:00Z");
const city = `city: { name: K, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: K }]
devices:
  - { id: bin-1, class: bin, place: krakow, every: 15m }
  - { id: bin-2, class: bin, place: krakow }
  - { id: plug, class: electricity-meter, place: krakow }
`;

/** A gateway's format: native readings of several devices in one message, the first of which the message counts for. */
const several: Codec = {
  format: "several",
  version: "1",
  decode(message, registry) {
    const all = JSON.parse(Buffer.from(message.payload).toString()) as Record<string, unknown>;
    const parts = Object.entries(all).map(([device, readings]): DeviceFields => {
      const payload = Buffer.from(JSON.stringify(readings));
      const decoded = nativeJson.decode({ ...message, topic: `readings/${device}`, payload }, registry);
      const placed = <T extends { path: string }>(list: readonly T[]): T[] =>
        list.map((one) => ({ ...one, path: `/${device}${one.path}` }));
      return decoded.kind === "decoded"
        ? { device, fields: placed(decoded.fields), faults: placed(decoded.faults) }
        : { device, fields: [], faults: [] };
    });
    const [first = { device: "nobody", fields: [], faults: [] }, ...others] = parts;
    return { kind: "decoded", ...first, others };
  },
};
const codecOf = (topic: string): Codec | undefined => (topic === "several" ? several : undefined);

const field = fc.oneof(
  fc.record({
    name: fc.constantFrom("fill_percent", "battery_v", "temperature_celsius"),
    value: fc.constantFrom(1, 2, 3.5, 400, null, true),
  }),
  fc.record({
    name: fc.constantFrom("no_such", "weight_kg", "constructor"),
    value: fc.constantFrom(1, "text", null),
  }),
);
const reading = fc
  .tuple(
    fc.option(fc.constantFrom(nowMs, nowMs - 60_000, nowMs - 86_400_000, nowMs + 3_600_000, "nonsense", -1)),
    fc.array(field, { maxLength: 4 }),
  )
  .map(([time, fields]) => ({
    ...(time === null ? {} : { time }),
    ...Object.fromEntries(fields.map(({ name, value }) => [name, value])),
  }));
const gatewayMessage = fc.record({
  topic: fc.constant("several"),
  payload: fc
    .uniqueArray(fc.tuple(fc.constantFrom("bin-1", "bin-2", "bin-9", "bin-8"), reading), {
      selector: ([device]) => device,
      maxLength: 4,
    })
    .map((parts) => JSON.stringify(Object.fromEntries(parts))),
  receivedMs: fc.constantFrom(nowMs, nowMs - 86_400_000),
});
const plugMessage = fc.record({
  topic: fc.constantFrom("tele/plug/SENSOR", "tele/plug/LWT", "tele/other/SENSOR", "tele/other/LWT"),
  payload: fc.constantFrom(
    '{"Time":"2026-11-23T09:00:00","ENERGY":{"Total":1.5,"Power":100,"Odd":7},"ANALOG":{"A0":12}}',
    '{"ENERGY":{"Power":"much","Voltage":900}}',
    "Online",
  ),
  receivedMs: fc.constantFrom(nowMs, nowMs - 86_400_000),
});
const nativeMessage = fc.record({
  topic: fc.constantFrom("readings/bin-1", "readings/bin-2", "readings/bin-9", "tools/x", "readings/"),
  payload: fc.oneof(
    reading.map((one) => JSON.stringify(one)),
    fc.array(reading, { maxLength: 3 }).map((list) => JSON.stringify(list)),
    fc.constantFrom("", "{", "null", "[[]]", "12", '{"fill_percent": NaN}'),
    fc.uint8Array({ maxLength: 40 }),
  ),
  receivedMs: fc.constantFrom(nowMs, nowMs - 5_000, nowMs - 86_400_000),
});

const message = fc.oneof({ weight: 3, arbitrary: nativeMessage }, gatewayMessage, plugMessage);

test("the ledger adds up under any mixture of messages, in any batches, and after a replay", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(message, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
      async (batches) => {
        const works = await openTestPipeline(city, nowMs, undefined, codecOf);
        try {
          for (const batch of batches) await works.take(batch);
          const sent = batches.flat().length;
          const check = async (): Promise<void> => {
            const accounts = await accountsOf(works.history, { fromDay: "2026-11-20", toDay: "2026-11-24" });
            expect(accounts.filter(({ balanced }) => !balanced)).toEqual([]);
            expect(accounts.reduce((sum, { messages }) => sum + messages.received, 0)).toBe(sent);
            const stored = accounts.reduce((sum, { values }) => sum + values.stored, 0);
            expect((await works.history.readings({ limit: 10_000 })).items).toHaveLength(stored);
            const { items } = await works.history.quarantine({ status: "open", limit: 10_000 });
            const whole = items.filter((entry) => entry.whole).length;
            const values = items.filter(({ reason }) => reason !== "unmapped-field");
            const fields = values.reduce((sum, entry) => sum + entry.count, 0);
            const unmapped = items.filter(({ reason }) => reason === "unmapped-field");
            const keys = unmapped.map(({ device, paths }) => `${device} ${paths.join()}`);
            expect(new Set(keys).size).toBe(keys.length);
            expect(new Set(items.map(({ id }) => id)).size).toBe(items.length);
            expect(accounts.reduce((sum, { messages }) => sum + messages.quarantined, 0)).toBe(whole);
            expect(accounts.reduce((sum, { values }) => sum + values.quarantined, 0)).toBe(fields);
          };
          await check();
          await works.registry.putDevice({ id: "bin-9", class: "bin", place: "krakow" }, "test");
          const other = { class: "electricity-meter", place: "krakow", identifiers: { topic: "other" } };
          await works.registry.putDevice({ id: "plug-2", ...other }, "test");
          const { items } = await works.history.quarantine({ status: "open", limit: 10_000 });
          await works.pipeline.replay(items, "test");
          await check();
        } finally {
          await works.close();
        }
      },
    ),
    { numRuns: 40 },
  );
}, 120_000);

test("two who replay or dismiss the same entries at the same time move them once", async () => {
  const works = await openTestPipeline(city, nowMs);
  try {
    const { replay, dismiss } = openEntries(works.history, works.pipeline);
    const messagesOf = async (): Promise<string[]> =>
      (await accountsOf(works.history, { fromDay: "2026-11-23", toDay: "2026-11-23" }))
        .filter(({ messages }) => messages.received !== 0 || messages.quarantined !== 0)
        .map(({ device, messages }) => `${device} ${messages.received} ${messages.quarantined}`);
    await works.take(
      ["bin-8", "bin-9"].map((name) => ({
        topic: `readings/${name}`,
        payload: '{"fill_percent": 40}',
        receivedMs: nowMs,
      })),
    );
    for (const id of ["bin-8", "bin-9"])
      await works.registry.putDevice({ id, class: "bin", place: "krakow" }, "anna");
    expect(await messagesOf()).toEqual(["(unknown) 2 2"]);

    const nine = { device: "bin-9" };
    const [first, second] = await Promise.all([replay(nine, "anna"), replay(nine, "ola")]);
    expect(await messagesOf()).toEqual(["(unknown) 1 1", "bin-9 1 0"]);
    expect(first.replayed + second.replayed).toBe(1);

    const { items } = await works.history.quarantine({ device: "bin-8", limit: 10 });
    const ids = items.map(({ id }) => id);
    const [{ dismissed }, { replayed }] = await Promise.all([
      dismiss({ ids }, "anna"),
      replay({ ids }, "ola"),
    ]);
    expect(dismissed + replayed).toBe(1);
    expect(await messagesOf()).toEqual(
      replayed === 1 ? ["bin-8 1 0", "bin-9 1 0"] : ["(unknown) 1 1", "bin-9 1 0"],
    );
  } finally {
    await works.close();
  }
});

test("a message that was understood before its device was added, and stored after, is stored as the device's", async () => {
  const works = await openTestPipeline(city, nowMs);
  try {
    const payload = Buffer.from('{"fill_percent": 40}');
    const message = { topic: "readings/bin-9", payload, user: "u", clientId: "c", qos: 1 as const };
    const understood = works.pipeline.understand([{ ...message, sequence: 1, receivedMs: nowMs }]);
    await works.registry.putDevice({ id: "bin-9", class: "bin", place: "krakow" }, "anna");
    works.pipeline.renew();
    await works.pipeline.take(understood);
    expect((await works.history.quarantine({ limit: 10 })).items).toEqual([]);
    expect((await works.history.readings({ limit: 10 })).items).toMatchObject([
      { device: "bin-9", value: 40 },
    ]);
  } finally {
    await works.close();
  }
});

test("while a batch is on its way to the disk there is a moment for something else, before its position stands", async () => {
  const works = await openTestPipeline(city, nowMs);
  try {
    const payload = Buffer.from('{"fill_percent": 40}');
    const message = { topic: "readings/bin-1", payload, user: "u", clientId: "c", qos: 1 as const };
    const meanwhile: number[] = [];
    await works.pipeline.take(
      works.pipeline.understand([{ ...message, sequence: 1, receivedMs: nowMs }]),
      () => void meanwhile.push(works.history.position),
    );
    expect(meanwhile).toEqual([0]);
    expect(works.history.position).toBe(1);
  } finally {
    await works.close();
  }
});

test("names in quarantine are paged by when they were heard last, with their newest messages", async () => {
  const works = await openTestPipeline(city, nowMs);
  try {
    const heard = (name: string, n: number): Parameters<typeof works.take>[0][number] => ({
      topic: `readings/${name}`,
      payload: `{"fill_percent": ${n}}`,
      receivedMs: nowMs + n,
    });
    await works.take([1, 2, 3, 4].map((n) => heard("x-1", n)));
    await works.take([heard("x-2", 9), heard("x-3", 9), heard("bin-1", 5)]);
    const query = { reason: "unknown-device", limit: 2 };
    const first = await works.history.quarantinedNames(query);
    expect(first.items.map(({ device }) => device)).toEqual(["x-2", "x-3"]);
    const second = await works.history.quarantinedNames({ ...query, cursor: first.next ?? "" });
    expect(second.next).toBeUndefined();
    expect(second.items).toMatchObject([
      { device: "x-1", messages: 4, firstMs: nowMs + 1, lastMs: nowMs + 4 },
    ]);
    const said = second.items[0]?.newest.map(({ payload }) => Buffer.from(payload).toString());
    expect(said).toEqual([4, 3, 2].map((n) => `{"fill_percent": ${n}}`));
    await expect(works.history.quarantinedNames({ ...query, cursor: "nonsense" })).rejects.toMatchObject({
      code: "bad-cursor",
    });
  } finally {
    await works.close();
  }
});
