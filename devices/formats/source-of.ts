import type { RegistryView, SourceEntry } from "../registry.js";
import { covers } from "../topic.js";
import { formats } from "./table.js";

const covering = (source: SourceEntry, topic: string): boolean =>
  (source.topics ?? formats.get(source.format)?.topics ?? []).some((filter) => covers(filter, topic));

/**
 * The source that a topic's messages are understood by, and which of the city's it is (from 0); without a number it is a format's own,
 * which the city doesn't name. Undefined where nothing speaks on the topic.
 */
export function sourceOf(
  registry: Pick<RegistryView, "sources">,
  topic: string,
): { source: SourceEntry; number: number | undefined } | undefined {
  const sources = registry.sources();
  const number = sources.findIndex((source) => covering(source, topic));
  const named = sources[number];
  if (named) return { source: named, number };
  for (const format of formats.keys()) {
    const source = { format, map: [] };
    if (covering(source, topic)) return { source, number: undefined };
  }
  return undefined;
}
