/**
 * Decodes the frame of a Dragino LDDS75: battery in mV, distance in mm, temperature of a probe in tenths where there is one.
 * Source: Dragino's wiki, LDDS75 LoRaWAN Distance Detection Sensor User Manual, 2.3 Uplink Payload.
 */
function decodeUplink({ bytes }) {
  if (bytes.length !== 8) return { errors: [`${bytes.length} bytes instead of 8`] };
  const at = (index) => (bytes[index] << 8) | bytes[index + 1];
  const data = { battery_v: (at(0) & 0x3fff) / 1_000, distance_mm: at(2) };
  if (data.distance_mm === 0) return { errors: ["no ultrasonic sensor is connected"] };
  if (data.distance_mm === 20)
    return {
      errors: ["the echo can't be told from the sensor's own sound: something is nearer than 280 mm"],
    };
  if ((bytes[7] & 1) === 1) data.temperature_celsius = ((at(5) << 16) >> 16) / 10;
  return { data };
}
