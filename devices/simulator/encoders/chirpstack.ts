import { createHash } from "node:crypto";
import type { DeviceEntry } from "../../registry.js";
import type { Encoder, WireMessage } from "./encoder.js";

/** A UUID that belongs to a text for good. */
const uuidOf = (text: string): string => {
  const hex = createHash("sha256").update(text).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};
const tenant = { tenantId: uuidOf("tenant"), tenantName: "MPO Kraków" };
const application = { applicationId: uuidOf("application"), applicationName: "pojemniki" };

/**
 * The frame of a Dragino LDDS75: battery in mV, distance in mm, interrupt, temperature in tenths, whether a probe is there; big-endian.
 * Source: Dragino's wiki, LDDS75 LoRaWAN Distance Detection Sensor User Manual, 2.3 Uplink Payload.
 */
export function frameOf(reading: Readonly<Record<string, number>>): Buffer {
  const frame = Buffer.alloc(8);
  frame.writeUInt16BE(Math.round((reading["battery_v"] ?? 0) * 1_000) & 0x3fff, 0);
  frame.writeUInt16BE(reading["distance_mm"] ?? 0, 2);
  frame.writeInt16BE(Math.round((reading["temperature_celsius"] ?? 0) * 10), 5);
  frame.writeUInt8(1, 7);
  return frame;
}

/**
 * A LoRaWAN sensor behind a ChirpStack v4 that has no codec for it: `up` with frame counter, port, frame and what each gateway
 * heard; `status` with the battery's level when the sensor was asked; `join` when it came in.
 * Source: chirpstack/chirpstack, api/proto/integration/integration.proto, as JSON.
 */
export function encodeChirpstack({ id, name, model = "", identifiers = {} }: DeviceEntry): Encoder {
  const { devEui = "0000000000000000" } = identifiers;
  const deviceInfo = {
    ...tenant,
    ...application,
    deviceProfileId: uuidOf(model),
    deviceProfileName: model,
    deviceName: name ?? id,
    devEui,
    deviceClassEnabled: "CLASS_A",
    tags: {},
  };
  const devAddr = `01${uuidOf(id).slice(0, 6)}`;
  let frames = 0;
  const event = (kind: string, timeMs: number, body: object): WireMessage => ({
    topic: `application/${application.applicationId}/device/${devEui}/event/${kind}`,
    payload: JSON.stringify({
      deduplicationId: uuidOf(`${id} ${kind} ${timeMs}`),
      time: new Date(timeMs).toISOString().replace("Z", "+00:00"),
      deviceInfo,
      ...body,
    }),
  });
  const heardBy = (gatewayId: string, rssi: number, snr: number, uplinkId: number): object => ({
    gatewayId,
    uplinkId,
    rssi,
    snr,
    channel: uplinkId % 8,
    crcStatus: "CRC_OK",
  });
  return {
    encode(timeMs, reading) {
      const {
        rssi_dbm: rssi = -100,
        snr_db: snr = 5,
        battery_percent: battery,
        link_margin_db: margin,
      } = reading;
      const fCnt = frames++;
      const up = event("up", timeMs, {
        devAddr,
        adr: true,
        dr: 3,
        fCnt,
        fPort: 2,
        confirmed: false,
        data: frameOf(reading).toString("base64"),
        rxInfo: [
          heardBy("ac1f09fffe0a77b2", rssi - 9, snr - 4, 2 * fCnt + 1),
          heardBy("ac1f09fffe0a1234", rssi, snr, 2 * fCnt),
        ],
        txInfo: {
          frequency: 867_900_000,
          modulation: { lora: { bandwidth: 125_000, spreadingFactor: 9, codeRate: "CR_4_5" } },
        },
      });
      if (battery === undefined) return [up];
      const status = { margin, externalPowerSource: false, batteryLevelUnavailable: false };
      return [up, event("status", timeMs, { ...status, batteryLevel: battery })];
    },
    greet(timeMs) {
      frames = 0;
      return [event("join", timeMs, { devAddr })];
    },
  };
}
