import { readFileSync } from "node:fs";
import { extname } from "node:path";
import type { Command } from "commander";
import { type ImportFault, ObiegError } from "../../devices/index.js";
import { type ClientFlags, findService, type Service } from "./address.js";
import { askService } from "./call.js";
import { say, sayJson } from "./print.js";

type Maker = (parent: Command, name: string, description: string) => Command;

interface Report {
  rows: number;
  added: number;
  changed: number;
  unchanged: number;
  applied: boolean;
  faults: ImportFault[];
  faultCount: number;
}

interface ImportFlags extends ClientFlags {
  dryRun?: boolean;
  skipFaulty?: boolean;
}

const types: Readonly<Record<string, string>> = {
  ".csv": "text/csv",
  ".tsv": "text/csv",
  ".txt": "text/csv",
  ".yaml": "application/yaml",
  ".yml": "application/yaml",
};

const columnsHelp = `
CSV has its headings in the first row, in any order, divided by comma, semicolon or tab; UTF-8, or as Excel saves it.
  id class place            where a device is new, all three
  name model fraction capacityLitres emptyMm fullMm commissioned decommissioned
  every (15m) or everySeconds (900)
  latitude longitude, or at (50.0437 19.9494)
  devEui mac serial topic, or identifiers.SCHEME (identifiers.name)
  meter.parent meter.QUANTITY.serial … .digits .bits .resolution .multiplier .maxRate .installed .start
What obieg export devices writes is taken too. A column that isn't there changes nothing; an empty cell takes away what is known.
YAML holds devices as city.yaml writes them, as a list or under devices.`;

function readFile(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new ObiegError("bad-argument", `${file} can't be read: ${(cause as Error).message}`, { cause });
  }
}

const sayFaults = (file: string, faults: readonly ImportFault[], count: number): void => {
  for (const { line, column, field, code, message } of faults)
    say(`${file}:${line}:${column}: ${field === "" ? "" : `${field}: `}${message} (${code})`);
  if (count > faults.length) say(`and ${count - faults.length} more`);
};

/** True when something waits in quarantine because its device wasn't known. */
async function isAnyUnknown(service: Service): Promise<boolean> {
  const query = { status: "open", reason: "unknown-device", limit: 1 };
  const { items } = await askService<{ items: unknown[] }>(service, "/quarantine", { query });
  return items.length > 0;
}

/** Adds `device import FILE`. */
export function addImportCommand(device: Command, make: Maker): void {
  make(device, "import", "add and change devices from a CSV or YAML file: all of them, or none")
    .argument("<file>", "devices.csv or devices.yaml")
    .option("--dry-run", "only show what would change, and what is wrong")
    .option("--skip-faulty", "take the rows without a fault, and show the others")
    .addHelpText("after", columnsHelp)
    .action(async (file: string, flags: ImportFlags) => {
      const type = types[extname(file).toLowerCase()];
      if (type === undefined)
        throw new ObiegError("bad-argument", `${file} isn't called .csv, .tsv, .txt, .yaml or .yml`);
      const bytes = readFile(file);
      const service = findService(flags, process.env);
      let report: Report;
      try {
        report = await askService<Report>(service, "/devices/import", {
          method: "POST",
          query: { dryRun: flags.dryRun ?? false, skipFaulty: flags.skipFaulty ?? false },
          raw: { type, bytes },
        });
      } catch (error) {
        const faults = error instanceof ObiegError ? error.detail?.["faults"] : undefined;
        if (!Array.isArray(faults) || flags.json) throw error;
        sayFaults(file, faults as ImportFault[], faults.length);
        throw error;
      }
      if (report.faultCount > 0) process.exitCode = 1;
      if (flags.json) return sayJson(report);
      sayFaults(file, report.faults, report.faultCount);
      const counts = `${report.added} added, ${report.changed} changed, ${report.unchanged} as they were, of ${report.rows}`;
      say(report.applied ? `imported: ${counts}` : `would be: ${counts}; nothing was changed`);
      if (report.applied && (await isAnyUnknown(service)))
        say(
          "Messages of unknown devices wait. Take those of the devices that are known now: obieg quarantine replay --reason unknown-device",
        );
    });
}
