import { canonical } from "../canonical.js";
import { deviceSchema } from "../device.js";
import { identifierKey } from "../identifier.js";
import { parentFault } from "../meter.js";
import type { DeviceEntry, RegistryView } from "../registry.js";
import type { ImportFault, ImportFile, ImportRow } from "./fault.js";

/** A device that is to be put into the registry. */
export type PlannedDevice = Omit<DeviceEntry, "sinceMs">;

/** What an import would do. */
export interface ImportPlan {
  added: PlannedDevice[];
  changed: PlannedDevice[];
  /** How many are in the registry just so already. */
  unchanged: number;
  /** In the order of the file. */
  faults: ImportFault[];
}

interface Candidate {
  row: ImportRow;
  device: PlannedDevice;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What is known, with what a row says in its place; a key said without a value is gone, and so is an object without keys. */
function merged(known: unknown, said: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result: Record<string, unknown> = isObject(known) ? { ...known } : {};
  for (const [key, value] of Object.entries(said)) {
    const next = isObject(value)
      ? merged(Object.hasOwn(result, key) ? result[key] : undefined, value)
      : value;
    if (next === undefined || next === null || (isObject(next) && Object.keys(next).length === 0))
      delete result[key];
    else
      Object.defineProperty(result, key, {
        value: next,
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
  return result;
}

/** A position given in two columns is a pair; one that lacks a half is left to the schema to refuse. */
function withPoint(device: Record<string, unknown>): Record<string, unknown> {
  const { at } = device;
  return isObject(at) ? { ...device, at: [at["0"], at["1"]] } : device;
}

const entryOf = (known: DeviceEntry | undefined): Record<string, unknown> => {
  if (!known) return {};
  const { everyMs, sinceMs: _since, ...rest } = known;
  return { ...rest, ...(everyMs === undefined ? {} : { every: everyMs }) };
};

const faultAt = (
  row: ImportRow,
  path: readonly PropertyKey[],
  code: string,
  message: string,
): ImportFault => ({
  ...row.placeOf(path),
  code,
  message: message.slice(0, 300),
});

/** The device that a row makes of what is known, or its faults. */
function candidateOf(row: ImportRow, registry: RegistryView, faults: ImportFault[]): Candidate[] {
  const { id } = row.said;
  const known = typeof id === "string" ? registry.device(id) : undefined;
  const parsed = deviceSchema.safeParse(withPoint(merged(entryOf(known), row.said)));
  if (!parsed.success) {
    for (const issue of parsed.error.issues.slice(0, 20)) {
      const keys = issue.code === "unrecognized_keys" ? issue.keys : [undefined];
      for (const key of keys) {
        const path = key === undefined ? issue.path : [...issue.path, key];
        const message = key === undefined ? issue.message : `unknown key "${key}": see obieg schema city`;
        faults.push(faultAt(row, path, "value-invalid", message));
      }
    }
    return [];
  }
  const { every, ...rest } = parsed.data;
  const device = { ...rest, ...(every === undefined ? {} : { everyMs: every }) };
  return [
    {
      row,
      device: Object.fromEntries(
        Object.entries(device).filter(([, value]) => value !== undefined),
      ) as unknown as PlannedDevice,
    },
  ];
}

/** Holds candidates against one another and the registry: ids, places, identifiers, meters upstream. */
function checkTogether(
  candidates: readonly Candidate[],
  registry: RegistryView,
): Map<ImportRow, ImportFault> {
  const faults = new Map<ImportRow, ImportFault>();
  const fault = (row: ImportRow, path: readonly PropertyKey[], code: string, message: string): void => {
    if (!faults.has(row)) faults.set(row, faultAt(row, path, code, message));
  };
  const byId = new Map<string, Candidate>();
  const identified = new Map<string, Candidate>();
  for (const candidate of candidates) {
    const { row, device } = candidate;
    const twin = byId.get(device.id);
    if (twin)
      fault(
        row,
        ["id"],
        "id-twice",
        `${device.id} stands in line ${twin.row.line} already: keep one of them`,
      );
    else byId.set(device.id, candidate);
    if (!registry.place(device.place))
      fault(
        row,
        ["place"],
        "place-not-found",
        `${device.place} isn't among the places: see GET /api/v1/places`,
      );
  }
  const find = (id: string): PlannedDevice | undefined => byId.get(id)?.device ?? registry.device(id);
  for (const candidate of candidates) {
    const { row, device } = candidate;
    for (const [scheme, text] of Object.entries(device.identifiers ?? {})) {
      const key = identifierKey(scheme, text);
      const twin = identified.get(key);
      const holder = registry.byIdentifier(scheme, text);
      const path = ["identifiers", scheme];
      if (twin)
        fault(row, path, "identifier-twice", `line ${twin.row.line} (${twin.device.id}) gives the same`);
      else if (holder && holder.id !== device.id && !byId.has(holder.id))
        fault(row, path, "identifier-taken", `it is ${holder.id}'s already: take it from there first`);
      else identified.set(key, candidate);
    }
    const wrong = parentFault(device, find);
    if (wrong) fault(row, ["meter", "parent"], "parent-invalid", wrong);
  }
  return faults;
}

/**
 * Says what a file's rows make of the registry: each adds a device, or changes of a known one what its columns say. With `skipFaulty`
 * rows at fault are left out, and so are those that need one of them; without it a fault anywhere leaves nothing to be done.
 * Guarantee: pure.
 */
export function planImport(file: ImportFile, registry: RegistryView, skipFaulty: boolean): ImportPlan {
  const faults = [...file.faults];
  const atFault = new Set(file.faults.map(({ line }) => line));
  let candidates = file.rows.flatMap((row) => {
    const before = faults.length;
    const found = atFault.has(row.line) ? [] : candidateOf(row, registry, faults);
    return faults.length === before ? found : [];
  });
  for (;;) {
    const found = checkTogether(candidates, registry);
    faults.push(...found.values());
    if (found.size === 0) break;
    candidates = candidates.filter(({ row }) => !found.has(row));
    if (!skipFaulty) break;
  }
  faults.sort((one, other) => one.line - other.line || one.column - other.column);
  const plan: ImportPlan = { added: [], changed: [], unchanged: 0, faults };
  if (faults.length > 0 && !skipFaulty) return plan;
  for (const { device } of candidates) {
    const known = registry.device(device.id);
    if (!known) plan.added.push(device);
    else if (canonical({ ...device, sinceMs: known.sinceMs }) === canonical(known)) plan.unchanged += 1;
    else plan.changed.push(device);
  }
  return plan;
}
