import { type DeviceEntry, ObiegError } from "../../devices/index.js";
import type { IngestView, Stranger } from "../../ingest/index.js";
import { pageFrom } from "./fake-page.js";

const seenMs = Date.parse("2026-11-23T10:00:00Z");

/** A device that sends and isn't registered. */
const stranger = (identifier: string): Stranger => ({
  identifier,
  introduction: { scheme: "name", text: identifier },
  format: "zigbee2mqtt",
  user: "szkola",
  topic: `zigbee2mqtt/${identifier}`,
  firstMs: seenMs - 60_000,
  lastMs: seenMs,
  messages: 4,
  payload: Buffer.from('{"temperature": 19.5}'),
  suggestion: { id: "sala", class: undefined, quantities: ["temperature_celsius"], unmapped: [] },
});

/** Two unknown devices; who is adopted goes to `add`. */
export function fakeStrangers(add: (device: DeviceEntry) => void): IngestView["strangers"] {
  const all = [stranger("Sala gimnastyczna"), stranger("<b>sala</b>")];
  return {
    list: async ({ limit, cursor }) => pageFrom(all, cursor, limit),
    async adopt(identifier, adoption) {
      if (!all.some((one) => one.identifier === identifier))
        throw new ObiegError("unknown-device-not-found", `no message of ${identifier} waits`);
      const device = { ...adoption, sinceMs: seenMs };
      add(device);
      return { device, replayed: 4, refused: 0 };
    },
  };
}
