import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { say, sayJson } from "./dashboards/client/print.js";
import { ObiegError } from "./devices/index.js";
import { lockDataFolder } from "./ingest/folder-lock.js";
import { restoreSealed, setHistoryAside, verifySealed } from "./ingest/stores/restore.js";
import { openState } from "./ingest/stores/state.js";

interface Flags {
  data: string;
  json?: boolean;
}

function requireFolder({ data }: Flags): string {
  if (!existsSync(data))
    throw new ObiegError("bad-argument", `${data} isn't there: give the data folder with --data`);
  return data;
}

const under = (parent: Command, name: string, description: string): Command =>
  parent
    .command(name)
    .description(description)
    .option("--data <dir>", "data folder", "./data")
    .option("--json", "the report as JSON");

/** Adds `history verify|restore|rebuild` and `state renew`: what to do when a file of the data folder is damaged or gone. */
export function addRecoveryCommands(program: Command): void {
  const history = program.command("history").description("verify, restore or rebuild the history");
  under(
    history,
    "verify",
    "compare every sealed day with its checksum (exit code 1 when one is damaged)",
  ).action(async (flags: Flags) => {
    const files = await verifySealed(requireFolder(flags));
    const faults = files.filter(({ fault }) => fault !== undefined);
    if (flags.json) sayJson({ sealedDays: files.length, faults });
    else {
      for (const { file, fault } of faults) say(`${file}: ${fault?.replace("-", " ") ?? ""}`);
      say(`${files.length} sealed days, ${faults.length === 0 ? "all whole" : `${faults.length} at fault`}`);
      if (faults.length > 0)
        say(
          "take them from a backup: obieg history restore --from BACKUP; or from the archive: obieg history rebuild",
        );
    }
    if (faults.length > 0) process.exitCode = 1;
  });
  under(
    history,
    "restore",
    "bring damaged and missing sealed days back from a backup; also while the service runs",
  )
    .requiredOption("--from <backup>", "folder that obieg backup made")
    .action(async (flags: Flags & { from: string }) => {
      const report = await restoreSealed(requireFolder(flags), flags.from);
      if (flags.json) sayJson(report);
      else {
        for (const file of report.restored) say(`${file} restored`);
        for (const file of report.missing) say(`${file}: the backup doesn't hold it whole`);
        if (report.restored.length + report.missing.length === 0) say("nothing to restore");
      }
      if (report.missing.length > 0) process.exitCode = 1;
    });
  under(
    history,
    "rebuild",
    "set history.duckdb of a service that doesn't run aside; the next start makes it again from sealed days, archive and journal",
  ).action(async (flags: Flags) => {
    const lock = await lockDataFolder(requireFolder(flags));
    try {
      const kept = setHistoryAside(flags.data);
      if (flags.json) return sayJson({ kept });
      for (const path of kept) say(`as it was: ${path}`);
      say("the next start makes the history again; accounts and quarantine reach as far back as the archive");
    } finally {
      lock.release();
    }
  });
  const state = program.command("state").description("the state of a service that doesn't run");
  under(
    state,
    "renew",
    "begin with an empty state where state/works.mdb is gone and no backup holds it",
  ).action(async (flags: Flags) => {
    const lock = await lockDataFolder(requireFolder(flags));
    try {
      const file = join(flags.data, "state", "works.mdb");
      if (existsSync(file))
        throw new ObiegError("bad-argument", `${file} is there: move it away first if it is to be given up`);
      await openState(join(flags.data, "state")).close();
      if (flags.json) sayJson({ file });
      else say(`${file} made anew: start with --city FILE; users, tokens and alerts begin anew`);
    } finally {
      lock.release();
    }
  });
}
