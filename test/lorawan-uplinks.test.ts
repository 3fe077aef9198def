import { afterEach, beforeEach, expect, test } from "vitest";
import { openTestPipeline, type TestPipeline } from "./support/pipeline.js";

const startMs = Date.parse("2026-11-23T10:00:00Z");
const city = `
city: { name: K, timeZone: Europe/Warsaw }
places: [{ id: krakow, kind: city, name: K }]
devices:
  - { id: bin-a, class: bin, place: krakow, identifiers: { name: bin-a } }
  - { id: bin-c, class: bin, place: krakow, identifiers: { devEui: "24e124713c123456" } }
`;
let works: TestPipeline;
let at = 0;
beforeEach(async () => {
  at = 0;
  works = await openTestPipeline(city, startMs);
});
afterEach(() => works.close());

interface Sent {
  topic: string;
  payload: string;
  receivedMs: number;
}
/** An uplink of The Things Stack, each a minute after the one before. */
const stack = (count: number, session = "AXBSH1Pk6Z0=", rest: object = {}): Sent => {
  at += 1;
  const time = new Date(startMs + at * 60_000).toISOString();
  const uplink = {
    session_key_id: session,
    f_port: 1,
    ...(count === 0 ? {} : { f_cnt: count }),
    frm_payload: "AQ==",
    decoded_payload: { fill_percent: count % 100 },
    received_at: time,
    ...rest,
  };
  return {
    topic: "v3/city@ttn/devices/bin-a/up",
    payload: JSON.stringify({
      end_device_ids: { device_id: "bin-a" },
      received_at: time,
      uplink_message: uplink,
    }),
    receivedMs: startMs + at * 60_000,
  };
};
/** An uplink of ChirpStack. */
const chirp = (fCnt: number | undefined, devAddr = "00189440"): Sent => {
  at += 1;
  const time = new Date(startMs + at * 60_000).toISOString();
  const body = {
    time,
    deviceInfo: { devEui: "24e124713c123456" },
    devAddr,
    fCnt,
    fPort: 2,
    object: { fill_percent: at },
  };
  return {
    topic: "application/1/device/24e124713c123456/event/up",
    payload: JSON.stringify(body),
    receivedMs: startMs + at * 60_000,
  };
};
const figures = (device = "bin-a"): unknown => {
  const { heard, lost, resets } = works.pipeline.uplinks.of(device) ?? {};
  return { heard, lost, resets };
};

test("a gap of the frame counter is as many lost uplinks, by device", async () => {
  await works.take([stack(10), stack(11), stack(15), chirp(4_411), chirp(4_413)]);
  expect(figures()).toEqual({ heard: 3, lost: 3, resets: 0 });
  expect(figures("bin-c")).toEqual({ heard: 2, lost: 1, resets: 0 });
});

test("a counter that begins anew after a join or a restart loses nothing", async () => {
  await works.take([stack(500), stack(0, "other="), stack(1, "other="), stack(3, "other=")]);
  expect(figures()).toEqual({ heard: 4, lost: 1, resets: 1 });
  await works.take([chirp(60_000), chirp(0), chirp(1), chirp(7, "0018aaaa"), chirp(8, "0018aaaa")]);
  expect(figures("bin-c")).toEqual({ heard: 5, lost: 0, resets: 2 });
  await works.take([stack(3 + 20_000, "other=")]);
  expect(figures()).toEqual({ heard: 5, lost: 1, resets: 2 });
});

test("a frame that is delivered again, or late, counts once and isn't lost", async () => {
  const [one, two, three, four] = [stack(1), stack(2), stack(3), stack(4)];
  await works.take([one, one, two, four, two, three, three, one, four]);
  expect(figures()).toEqual({ heard: 4, lost: 0, resets: 0 });
  const [old, anew] = [stack(9), stack(0, "other=")];
  await works.take([anew, old]);
  expect(figures()).toEqual({ heard: 5, lost: 0, resets: 1 });
});

test("frames without a payload are heard; a normalized copy, a simulated uplink and a counter that is none aren't counted", async () => {
  const bare = stack(2, undefined, { frm_payload: undefined, decoded_payload: undefined });
  await works.take([stack(1), bare, stack(3)]);
  const copy = stack(9);
  await works.take([
    { ...copy, payload: copy.payload.replace("uplink_message", "uplink_normalized") },
    { ...copy, payload: copy.payload.replace("{", '{"simulated": true, ') },
    stack(3, undefined, { f_cnt: -1 }),
    stack(3, undefined, { f_cnt: "9" }),
    chirp(undefined),
  ]);
  expect(figures()).toEqual({ heard: 3, lost: 0, resets: 0 });
  expect(figures("bin-c")).toEqual({ heard: undefined, lost: undefined, resets: undefined });
});

test("a batch that is taken twice counts once, and a device that goes takes its figures with it", async () => {
  await works.take([stack(1), stack(5)]);
  const { heard, lost } = works.pipeline.uplinks.of("bin-a") ?? {};
  const seen = { device: "bin-a", session: "AXBSH1Pk6Z0=", timeMs: startMs + 120_000, message: 2 };
  await works.pipeline.uplinks.take([{ ...seen, count: 9 }]);
  expect(works.pipeline.uplinks.of("bin-a")).toMatchObject({ heard, lost });
  await works.registry.removeDevice("bin-a", "test");
  await works.pipeline.maintain(startMs);
  expect(works.pipeline.uplinks.of("bin-a")).toBeUndefined();
});
