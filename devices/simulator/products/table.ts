import type { DeviceEntry } from "../../registry.js";
import { encodeChirpstack } from "../encoders/chirpstack.js";
import type { Encoder } from "../encoders/encoder.js";
import { encodeNative } from "../encoders/native-json.js";
import { encodeShelly } from "../encoders/shelly.js";
import { encodeSparkplug } from "../encoders/sparkplug.js";
import { encodeTasmota } from "../encoders/tasmota.js";
import { encodeZigbee } from "../encoders/zigbee2mqtt.js";
import { heatSignals } from "../heat.js";
import type { Signal, World } from "../signal.js";
import { distanceBinSignals } from "./distance-bin.js";
import { plugSignals } from "./plug.js";
import { threePhaseSignals } from "./three-phase.js";
import { twoWaySignals } from "./two-way.js";

/** A product that people buy: what it measures, and the format that it speaks. */
export interface Product {
  format: string;
  signals: (world: World) => Signal[];
  encode: (device: DeviceEntry) => Encoder;
}

/** Products that the simulator knows, by the model of a device. */
const products: Readonly<Record<string, Product>> = {
  "Shelly Pro 3EM": { format: "shelly", signals: threePhaseSignals, encode: encodeShelly },
  "Hichi IR": { format: "tasmota", signals: twoWaySignals, encode: encodeTasmota },
  "Nous A1Z": { format: "zigbee2mqtt", signals: plugSignals, encode: encodeZigbee },
  "Dragino LDDS75": { format: "chirpstack", signals: distanceBinSignals, encode: encodeChirpstack },
  "Kamstrup MULTICAL 603": { format: "sparkplug", signals: heatSignals, encode: encodeSparkplug },
};

/** The product that a device is; undefined for one that speaks our own format. */
export function productOf({ model }: { model?: string | undefined }): Product | undefined {
  return model !== undefined && Object.hasOwn(products, model) ? products[model] : undefined;
}

/** What a device speaks with. */
export function encoderOf(device: DeviceEntry): Encoder {
  return (productOf(device)?.encode ?? encodeNative)(device);
}
