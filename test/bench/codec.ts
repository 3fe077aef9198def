import { openSandbox } from "../../devices/lorawan/index.js";
import { digits, type Figure, figure, median } from "./report.js";
import type { Size } from "./size.js";

/** A decoder of usual size: eleven bytes in channels of type and value, as makers of bin and air sensors write them. */
const script = `
function decodeUplink(input) {
  var data = {}, warnings = [], bytes = input.bytes;
  for (var i = 0; i < bytes.length; ) {
    var channel = bytes[i++], type = bytes[i++];
    if (channel === 0x01 && type === 0x75) data.battery_percent = bytes[i++];
    else if (channel === 0x03 && type === 0x67) {
      var raw = bytes[i] | (bytes[i + 1] << 8);
      data.temperature_celsius = (raw > 0x7fff ? raw - 0x10000 : raw) / 10;
      i += 2;
    } else if (channel === 0x04 && type === 0x82) {
      data.distance_mm = bytes[i] | (bytes[i + 1] << 8);
      i += 2;
    } else return { errors: ["unknown channel " + channel] };
  }
  if (data.battery_percent < 10) warnings.push("battery low");
  return { data: data, warnings: warnings };
}`;
/** Battery, temperature and distance: eleven bytes. The distance follows `n`. */
const frameOf = (n: number): Uint8Array =>
  Uint8Array.of(0x01, 0x75, 92, 0x03, 0x67, 0xd7, 0xff, 0x04, 0x82, n & 255, n >> 8);
const warmUp = 200;

/** How many frames a maker's decoder makes readings of in a second of the processor, isolated anew for each. */
export async function measureCodec(size: Size, say: (text: string) => void): Promise<Figure[]> {
  const codec = (await openSandbox()).load({ name: "bench", source: script });
  const rates: number[] = [];
  for (let round = 0; round < size.rounds; round += 1) {
    let begun = process.cpuUsage();
    for (let n = -warmUp; n < size.decodes; n += 1) {
      if (n === 0) begun = process.cpuUsage();
      const distance = (n + warmUp) % 60_000;
      const outcome = codec.decode({ fPort: 85, bytes: frameOf(distance), receivedMs: 1_767_225_600_000 });
      if (outcome.kind !== "decoded") throw new Error(`not decoded: ${outcome.fault.detail}`);
      const { battery_percent, temperature_celsius, distance_mm } = outcome.data;
      if (battery_percent !== 92 || temperature_celsius !== -4.1 || distance_mm !== distance)
        throw new Error(`decoded otherwise: ${JSON.stringify(outcome.data)}`);
    }
    const { user, system } = process.cpuUsage(begun);
    const rate = size.decodes / ((user + system) / 1e6);
    rates.push(rate);
    say(`codec: ${digits(rate)} decodes a second`);
  }
  return [
    figure("LoRaWAN codec of usual size (eleven bytes), a second of one core", median(rates), {
      least: 2_000,
      unit: "decodes/s",
    }),
  ];
}
