import {
  type FieldGuess,
  type FieldSamples,
  guessField,
  mappingOf,
  type RegistryView,
  sourceOf,
} from "../devices/index.js";
import type { UnmappedBook } from "./unmapped.js";

/** A field that nobody gave a quantity. Times of receipt, epoch milliseconds. */
export interface UnmappedField {
  /** Wire format, and which of the city's sources understands the topic (from 0); undefined where the city names none. */
  format: string;
  source: number | undefined;
  topic: string;
  device: string;
  class: string;
  model: string | undefined;
  /** The field's own name, levels divided by dots. */
  field: string;
  count: number;
  firstMs: number;
  lastMs: number;
  samples: FieldSamples;
  guess: FieldGuess;
}

/** Fields that still have no quantity: those that a source names by now, or whose device is gone, are left out. */
export function unmappedFields(book: Pick<UnmappedBook, "list">, registry: RegistryView): UnmappedField[] {
  const fields = book.list().flatMap((sighting): UnmappedField[] => {
    const { topic, field, count, firstMs, lastMs, value } = sighting;
    const device = registry.device(sighting.device);
    const found = sourceOf(registry, topic);
    if (!device || !found || mappingOf(found.source.map, field, device.model)) return [];
    const { first = value, min = value, max = value } = sighting;
    const samples = { first, newest: value, min, max };
    return [
      {
        format: found.source.format,
        source: found.number,
        topic,
        device: device.id,
        class: device.class,
        model: device.model,
        field,
        count,
        firstMs,
        lastMs,
        samples,
        guess: guessField(field, samples, device.class),
      },
    ];
  });
  const keyOf = ({ format, device, field }: UnmappedField): string => `${format} ${device} ${field}`;
  return fields.sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
}
