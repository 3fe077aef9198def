import { z } from "zod";
import { isIdentifier } from "./identifier.js";
import { quantities } from "./quantity.js";
import type { MeterEntry } from "./registry.js";
import { moment } from "./service-time.js";
import type { FaultReport } from "./yaml-file.js";

const figure = z.number().positive().max(1e15);

const plate = {
  serial: z.string().refine(isIdentifier, "1 to 128 printable characters"),
  digits: z.int().min(1).max(12).optional().describe("digits before the point: 5 count to 100,000"),
  bits: z.int().min(8).max(53).optional().describe("width of a binary counter; one step is `resolution`"),
  resolution: figure.describe("smallest step that it shows"),
  multiplier: figure.describe("amount of one unit of the register: transformers 200/5 are 40"),
  maxRate: figure.describe("most that can flow in an hour, in the quantity's unit"),
  backflow: figure.optional().describe("most that can flow back between two readings"),
};
type Width = { digits?: number | undefined; bits?: number | undefined };
const isOneWidth = ({ digits, bits }: Width): boolean => digits === undefined || bits === undefined;
const widthFault = { path: ["bits"], message: "give at most one of digits and bits" };

const register = z
  .strictObject({
    ...plate,
    resolution: plate.resolution.default(0.001),
    multiplier: plate.multiplier.default(1),
    installed: moment.describe("when it began to count"),
    start: z.number().nonnegative().optional().describe("what it showed then"),
  })
  .refine(isOneWidth, widthFault);

/** A register that is put in, as a protocol names it; what isn't said is as it was, but for the width. */
export const newRegisterSchema = z
  .strictObject({
    ...plate,
    resolution: plate.resolution.optional(),
    multiplier: plate.multiplier.optional(),
    maxRate: plate.maxRate.optional(),
  })
  .refine(isOneWidth, widthFault)
  .describe("the register; what isn't said is as that of the one before, but for digits and bits");

const isCounter = (quantity: string): boolean => quantities.get(quantity)?.kind === "counter";

/** What a device counts with, as `city.yaml` writes it: a register for each of its counters, and the meter upstream. */
export const meterSchema = z
  .strictObject({
    parent: z.string().min(1).max(64).optional().describe("the device whose meter is upstream of this one"),
    registers: z
      .record(
        z.string().refine(isCounter, "a counter of the vocabulary, such as energy_import_kwh"),
        register,
      )
      .default({}),
  })
  .describe("registers by the quantity that they count, and the meter upstream");

/** A device as far as its meter is concerned. */
interface Metered {
  id: string;
  meter?: Pick<MeterEntry, "parent"> | undefined;
}

/** Why a device can't stand below its parent, among all devices; undefined when it can. */
export function parentFault(
  { id, meter }: Metered,
  find: (id: string) => Metered | undefined,
): string | undefined {
  const above: string[] = [];
  for (let parent = meter?.parent; parent !== undefined;) {
    above.push(parent);
    if (parent === id)
      return `a meter can't be upstream of itself (${[id, ...above].join(" below ")}): take parent out of one of them`;
    const found = find(parent);
    if (!found) return above.length === 1 ? `${parent} isn't among the devices` : undefined;
    // A loop further up is a fault of the meters in it.
    if (above.length > 64) return "more than 64 meters stand above it";
    parent = found.meter?.parent;
  }
  return undefined;
}

/** Reports every meter whose parent isn't there, or is below it. */
export function checkParents(
  entries: readonly { index: number; entry: Readonly<Record<string, unknown>> }[],
  report: FaultReport,
): void {
  const devices = new Map<unknown, Metered>();
  for (const { entry } of entries) devices.set(entry.id, entry as unknown as Metered);
  for (const { index, entry } of entries) {
    const fault = parentFault(entry as unknown as Metered, (id) => devices.get(id));
    if (fault) report(["devices", index, "meter", "parent"], fault);
  }
}
