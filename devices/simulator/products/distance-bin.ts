import { binSignals } from "../bin.js";
import { keyOf, smoothNoise } from "../random.js";
import { isDaily, round, type Signal, type World } from "../signal.js";

/**
 * A bin with a distance sensor over LoRaWAN: the distance to the surface (the fill level follows from the container's depth), the
 * battery's voltage in each frame and its level once a day, what the best gateway heard. That it was emptied nobody tells it.
 */
export function distanceBinSignals(world: World): Signal[] {
  const { calendar, device, key } = world;
  const usual = new Map(binSignals(world).map((signal) => [signal.quantity, signal]));
  const { emptyMm = 1_500, fullMm = 300 } = device;
  const fill = (timeMs: number): number => usual.get("fill_percent")?.at(timeMs, timeMs) ?? 0;
  const distance = (timeMs: number): number =>
    Math.round(emptyMm - (fill(timeMs) / 100) * (emptyMm - fullMm));
  const radio = keyOf(key, "radio");
  const wave = (timeMs: number): number => smoothNoise(radio, timeMs / 5_400_000);
  const volts = usual.get("battery_v");
  return [
    { quantity: "distance_mm", at: distance },
    {
      quantity: "fill_percent",
      at: (timeMs) => round(((emptyMm - distance(timeMs)) / (emptyMm - fullMm)) * 100, 1),
    },
    ...[usual.get("temperature_celsius") ?? [], usual.get("battery_percent") ?? []].flat(),
    {
      quantity: "battery_v",
      // The daily report of six o'clock holds all day: a battery's voltage doesn't move by the hour.
      at(timeMs) {
        const sixMs = calendar.at(timeMs).startMs + 6 * 3_600_000;
        return volts?.at(sixMs, sixMs - 1) ?? Number.NaN;
      },
    },
    {
      quantity: "link_margin_db",
      at: (timeMs, previousMs) =>
        isDaily(calendar, 6, timeMs, previousMs) ? Math.round(9 + 2 * wave(timeMs)) : Number.NaN,
    },
    { quantity: "rssi_dbm", at: (timeMs) => Math.round(-101 + 4 * wave(timeMs)) },
    { quantity: "snr_db", at: (timeMs) => round(5 + 1.5 * wave(timeMs), 1) },
  ];
}
