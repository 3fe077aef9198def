import type { Codec } from "../codec.js";
import { type Decoders, noDecoders } from "./sandbox.js";
import type { RegistryView, SourceEntry } from "../registry.js";
import { covers } from "../topic.js";
import { airrohr } from "./airrohr.js";
import { cayenneLpp } from "./cayenne-lpp.js";
import { chirpstack } from "./chirpstack.js";
import { openDecoders } from "./decoders.js";
import type { Format } from "./format.js";
import { influx } from "./influx.js";
import { interpret } from "./interpret.js";
import { isNativeTopic, nativeJson } from "./native-json.js";
import { openDtu } from "./opendtu.js";
import { senml } from "./senml.js";
import { shelly } from "./shelly.js";
import { sparkplug } from "./sparkplug.js";
import { tasmota } from "./tasmota.js";
import { thingsStack } from "./things-stack.js";
import { wmbusmeters } from "./wmbusmeters.js";
import { zigbee2mqtt } from "./zigbee2mqtt.js";

/** Every format that isn't native, by name. A new one is a line here. */
export const formats: ReadonlyMap<string, Format> = new Map(
  [
    tasmota,
    shelly,
    zigbee2mqtt,
    wmbusmeters,
    openDtu,
    thingsStack,
    chirpstack,
    cayenneLpp,
    influx,
    airrohr,
    senml,
    sparkplug,
  ].map((format): [string, Format] => [format.name, format]),
);

const maxRemembered = 20_000;

/**
 * Opens the look-up of a topic's codec: native readings, then the city's sources in their order, then each format's own
 * topics; undefined for topics that carry no readings (an application's own). Answers are remembered until the sources change.
 */
export function openCodecs(
  registry: RegistryView,
  decoders: Decoders = noDecoders(),
): (topic: string) => Codec | undefined {
  let sources: readonly SourceEntry[] | undefined;
  let timeZone = "";
  let routes: { filter: string; codec: Codec }[] = [];
  const remembered = new Map<string, Codec | undefined>();
  const refresh = (): void => {
    sources = registry.sources();
    ({ timeZone } = registry.city);
    remembered.clear();
    const defaults = [...formats.keys()].map((format): SourceEntry => ({ format, map: [] }));
    routes = [...sources, ...defaults].flatMap((source) => {
      const format = formats.get(source.format);
      if (!format) return [];
      const codec = interpret(format, source, timeZone, openDecoders(source, decoders));
      return (source.topics ?? format.topics).map((filter) => ({ filter, codec }));
    });
  };
  return (topic) => {
    if (isNativeTopic(topic)) return nativeJson;
    if (registry.sources() !== sources || registry.city.timeZone !== timeZone) refresh();
    if (remembered.has(topic)) return remembered.get(topic);
    const codec = routes.find(({ filter }) => covers(filter, topic))?.codec;
    if (remembered.size >= maxRemembered) remembered.clear();
    remembered.set(topic, codec);
    return codec;
  };
}
