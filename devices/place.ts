import { z } from "zod";
import { at, placeId } from "./device.js";
import { ObiegError } from "./error.js";
import type { PlaceEntry, RegistryView } from "./registry.js";
import type { Rule } from "./rule.js";

/** A place as `city.yaml` writes it. */
export const placeSchema = z.strictObject({
  id: placeId,
  kind: z.enum(["city", "district", "site", "building", "household"]),
  name: z.string().min(1).max(200),
  at: at.optional(),
});

/** The id of the place that a place stands in; undefined for one at the top. */
export const parentOf = (id: string): string | undefined =>
  id.includes("/") ? id.slice(0, id.lastIndexOf("/")) : undefined;

/** Holds a place that comes in by another way than a city file to the same bounds. Throws `place-invalid`, saying what to write. */
export function checkPlace(place: PlaceEntry, registry: Pick<RegistryView, "place">): void {
  const parsed = placeSchema.safeParse(place);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new ObiegError("place-invalid", faults.join("; "));
  }
  const parent = parentOf(place.id);
  if (parent !== undefined && !registry.place(parent))
    throw new ObiegError("place-invalid", `id: its parent ${parent} isn't among the places: add it first`);
}

const named = (ids: readonly string[]): string =>
  ids.slice(0, 3).join(", ") + (ids.length > 3 ? ` and ${ids.length - 3} more` : "");

/** Makes sure that nothing needs a place. Throws `place-not-found`, `place-in-use`, saying what does. */
export function checkUnused(
  id: string,
  registry: Pick<RegistryView, "place" | "places" | "devicesAt"> & { rules(): Rule[] },
): void {
  if (!registry.place(id)) throw new ObiegError("place-not-found", `there is no place ${id}`);
  const below = registry.places().flatMap((place) => (place.id.startsWith(`${id}/`) ? [place.id] : []));
  const devices = registry.devicesAt(id);
  const rules = registry.rules().flatMap((rule) => (rule.place === id ? [rule.id] : []));
  const uses = [
    below.length > 0 && `places stand in it (${named(below)})`,
    devices.length > 0 && `devices stand there (${named(devices)})`,
    rules.length > 0 && `rules name it (${named(rules)})`,
  ].filter((use) => use !== false);
  if (uses.length > 0)
    throw new ObiegError(
      "place-in-use",
      `${id} can't be removed: ${uses.join("; ")}; move or remove them first`,
    );
}
