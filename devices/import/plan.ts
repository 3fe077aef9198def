import { canonical } from "../canonical.js";
import { deviceSchema } from "../device.js";
import type { DeviceEntry, RegistryView } from "../registry.js";
import { type Candidate, faultAt, misfits, type PlannedDevice } from "./candidate.js";
import type { ImportFault, ImportFile, ImportRow } from "./fault.js";

/** What an import would do. */
export interface ImportPlan {
  added: PlannedDevice[];
  changed: PlannedDevice[];
  /** How many are in the registry just so already. */
  unchanged: number;
  /** In the order of the file. */
  faults: ImportFault[];
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

/**
 * Says what a file's rows make of the registry: each adds a device, or changes of a known one what its columns say. With `skipFaulty`
 * rows at fault are left out, and so are those that need one of them; without it a fault anywhere leaves nothing to be done.
 * Guarantee: pure.
 */
export function planImport(file: ImportFile, registry: RegistryView, skipFaulty: boolean): ImportPlan {
  const faults = [...file.faults];
  const atFault = new Set(file.faults.map(({ line }) => line));
  const all = file.rows.flatMap((row) => {
    const before = faults.length;
    const found = atFault.has(row.line) ? [] : candidateOf(row, registry, faults);
    return faults.length === before ? found : [];
  });
  const unfit = misfits(all, registry, skipFaulty);
  for (const fault of unfit.values()) faults.push(fault);
  const candidates = all.filter((one) => !unfit.has(one));
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
