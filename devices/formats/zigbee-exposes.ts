import { shortText } from "../short-text.js";
import { createResolver } from "../unit.js";
import { isObject, readJson } from "./json.js";

/** What a model says of one property: its unit, and whether it is a setting rather than a measurement. */
type Property = readonly [property: string, unit: string | null, isSetting: boolean];

/** What a bridge says of its devices: names of models by friendly name, properties by model. Plain data. */
export interface Exposed {
  devices: readonly (readonly [name: string, model: string])[];
  models: readonly (readonly [model: string, properties: readonly Property[]])[];
}

const resolve = createResolver();
const maxDevices = 2_000;
const maxProperties = 300;
const maxDepth = 4;
const longest = 128;
/** Bit of `access` for what can be set. Source: zigbee2mqtt.io, guide/usage/exposes. */
const settable = 2;

function propertiesOf(exposes: unknown, into: Property[], depth = 0): void {
  if (!Array.isArray(exposes) || depth > maxDepth) return;
  for (const one of exposes) {
    if (!isObject(one) || into.length >= maxProperties) continue;
    const { type, property, unit, access, category, features } = one;
    if (Array.isArray(features)) propertiesOf(features, into, depth + 1);
    else if (type === "numeric" && typeof property === "string" && property.length <= longest) {
      const isSetting = category === "config" || (typeof access === "number" && (access & settable) !== 0);
      into.push([property, typeof unit === "string" ? shortText(unit, 32) : null, isSetting]);
    }
  }
}

/** Reads `bridge/devices`; undefined when it isn't such a list. */
export function readExposes(payload: Uint8Array): Exposed | undefined {
  const read = readJson(payload);
  if ("fault" in read || !Array.isArray(read.item)) return undefined;
  const devices: [string, string][] = [];
  const models = new Map<string, Property[]>();
  for (const one of read.item.slice(0, maxDevices)) {
    if (!isObject(one) || !isObject(one["definition"])) continue;
    const { friendly_name: name } = one;
    const { model, exposes } = one["definition"];
    if (typeof name !== "string" || typeof model !== "string") continue;
    if (name.length > longest || model.length > longest) continue;
    devices.push([name, model]);
    if (models.has(model)) continue;
    const properties: Property[] = [];
    propertiesOf(exposes, properties);
    models.set(model, properties);
  }
  return { devices, models: [...models] };
}

/** Stems of the vocabulary by property, where the model gives the unit. */
const stems: Readonly<Record<string, string>> = { water_consumed: "water" };

/** What a device's model makes of its properties. */
export type Meaning = (
  property: string,
  usual: string | undefined,
) => { name?: string; unit?: string; ignored?: boolean };

/**
 * Looks a device up. `usual`: what the property means where its unit is the usual one; the model's unit comes before it.
 * A voltage is the battery's when it is in millivolts, or the model has a battery.
 */
export function meaningsOf(exposed: Exposed | undefined, device: string): Meaning {
  const model = exposed?.devices.find(([name]) => name === device)?.[1];
  const found = exposed?.models.find(([name]) => name === model)?.[1];
  if (!found) return (_property, usual) => (usual === undefined ? {} : { name: usual });
  const properties = new Map(found.map((one) => [one[0], one]));
  return (property, usual) => {
    const [, unit, isSetting] = properties.get(property) ?? [property, null, false];
    if (isSetting) return { ignored: true };
    if (unit === null) return usual === undefined ? {} : { name: usual };
    const ofBattery = property === "voltage" && (unit === "mV" || properties.has("battery"));
    const own = Object.hasOwn(stems, property) ? stems[property] : property;
    const stem = ofBattery ? "battery" : (stemOf(usual) ?? own ?? property);
    if (resolve(stem, unit, "")) return { name: stem, unit };
    // A unit that the vocabulary doesn't know isn't taken for the usual one.
    return {};
  };
}

/** `power` of `power_w`. */
function stemOf(usual: string | undefined): string | undefined {
  return usual === undefined ? undefined : resolve(usual, undefined, "")?.quantity.stem;
}
