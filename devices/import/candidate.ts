import { identifierKey } from "../identifier.js";
import { parentFault } from "../meter.js";
import type { DeviceEntry, RegistryView } from "../registry.js";
import type { ImportFault, ImportRow } from "./fault.js";

/** A device that is to be put into the registry. */
export type PlannedDevice = Omit<DeviceEntry, "sinceMs">;

/** What a row makes of a device. */
export interface Candidate {
  row: ImportRow;
  device: PlannedDevice;
}

type Faults = Map<Candidate, ImportFault>;

/** A fault of a row, at what it says there. */
export const faultAt = (
  row: ImportRow,
  path: readonly PropertyKey[],
  code: string,
  message: string,
): ImportFault => ({
  ...row.placeOf(path),
  code,
  message: message.slice(0, 300),
});

/** Candidates beside one another and the registry. */
class Gathering {
  readonly #registry: RegistryView;
  /** Those that aren't left out. */
  readonly #byId = new Map<string, Candidate>();
  readonly #identified = new Map<string, Candidate>();
  /** Ids of the meters that the file or the registry has right below one. */
  #below: Map<string, string[]> | undefined;

  constructor(registry: RegistryView) {
    this.#registry = registry;
  }

  /** Takes all candidates, and tells who doesn't fit: ids, places, identifiers, meters upstream. */
  gather(candidates: readonly Candidate[]): Faults {
    const faults: Faults = new Map();
    for (const candidate of candidates) {
      const { row, device } = candidate;
      const twin = this.#byId.get(device.id);
      if (twin) {
        const message = `${device.id} stands in line ${twin.row.line} already: keep one of them`;
        faults.set(candidate, faultAt(row, ["id"], "id-twice", message));
        continue;
      }
      this.#byId.set(device.id, candidate);
      if (this.#registry.place(device.place)) continue;
      const message = `${device.place} isn't among the places: see GET /api/v1/places`;
      faults.set(candidate, faultAt(row, ["place"], "place-not-found", message));
    }
    for (const candidate of candidates) {
      const found = this.#faultOf(candidate);
      if (found && !faults.has(candidate)) faults.set(candidate, found);
    }
    return faults;
  }

  /** Leaves candidates out, and tells who doesn't fit without them. */
  without(left: Iterable<Candidate>): Faults {
    const gone = new Set<string>();
    for (const candidate of left) {
      const { id } = candidate.device;
      if (this.#byId.get(id) === candidate) gone.add(id);
    }
    for (const id of gone) this.#byId.delete(id);
    const faults: Faults = new Map();
    for (const candidate of this.#needing(gone)) {
      const found = this.#faultOf(candidate);
      if (found) faults.set(candidate, found);
    }
    return faults;
  }

  #faultOf(candidate: Candidate): ImportFault | undefined {
    const { row, device } = candidate;
    let fault: ImportFault | undefined;
    for (const [scheme, text] of Object.entries(device.identifiers ?? {})) {
      const key = identifierKey(scheme, text);
      const twin = this.#identified.get(key);
      const holder = this.#registry.byIdentifier(scheme, text);
      const path = ["identifiers", scheme];
      if (twin && twin !== candidate) {
        const message = `line ${twin.row.line} (${twin.device.id}) gives the same`;
        fault ??= faultAt(row, path, "identifier-twice", message);
      } else if (holder && holder.id !== device.id && !this.#byId.has(holder.id)) {
        const message = `it is ${holder.id}'s already: take it from there first`;
        fault ??= faultAt(row, path, "identifier-taken", message);
      } else this.#identified.set(key, candidate);
    }
    if (fault) return fault;
    const wrong = parentFault(device, (id) => this.#byId.get(id)?.device ?? this.#registry.device(id));
    return wrong === undefined ? undefined : faultAt(row, ["meter", "parent"], "parent-invalid", wrong);
  }

  /** Candidates that have an identifier of the devices with these ids, or stand below one of them. */
  #needing(ids: ReadonlySet<string>): Set<Candidate> {
    const found = new Set<Candidate>();
    const add = (candidate: Candidate | undefined): void => {
      if (candidate && this.#byId.get(candidate.device.id) === candidate) found.add(candidate);
    };
    for (const id of ids)
      for (const [scheme, text] of Object.entries(this.#registry.device(id)?.identifiers ?? {}))
        add(this.#identified.get(identifierKey(scheme, text)));
    this.#below ??= this.#metersBelow();
    // A set gives what is added while it is walked, and each but once.
    const under = new Set(ids);
    for (const id of under)
      for (const below of this.#below.get(id) ?? []) {
        add(this.#byId.get(below));
        under.add(below);
      }
    return found;
  }

  #metersBelow(): Map<string, string[]> {
    const below = new Map<string, string[]>();
    for (const devices of [[...this.#byId.values()].map(({ device }) => device), this.#registry.devices()])
      for (const { id, meter } of devices) {
        if (meter?.parent === undefined) continue;
        const known = below.get(meter.parent);
        if (known) known.push(id);
        else below.set(meter.parent, [id]);
      }
    return below;
  }
}

/**
 * Candidates that don't fit beside one another and the registry, each with its fault; with `needing`, those too that don't fit
 * once these are left out, and so on. Guarantee: who was left out is looked for only at those that need it.
 */
export function misfits(
  candidates: readonly Candidate[],
  registry: RegistryView,
  needing: boolean,
): ReadonlyMap<Candidate, ImportFault> {
  const gathering = new Gathering(registry);
  const all = gathering.gather(candidates);
  if (!needing) return all;
  for (let found = all; found.size > 0;) {
    found = gathering.without([...found.keys()]);
    for (const [candidate, fault] of found) all.set(candidate, fault);
  }
  return all;
}
