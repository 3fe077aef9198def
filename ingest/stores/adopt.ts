import { statSync } from "node:fs";
import { join, relative } from "node:path";
import type { HistoryCore } from "./core.js";
import { readDays, sha256Of } from "./days.js";
import { checksumOf, setAside } from "./checksum.js";
import { appendSeries } from "./hot.js";
import { enlist } from "./seal.js";
import { sealedTable } from "./sealed-file.js";
import { numberOf, rowsOf, textOf } from "./sql.js";
import { sealedFilesIn, sealedNameOf } from "./upkeep.js";
import { Workshop } from "./workshop.js";

/**
 * Takes sealed days that lie in the folder of a new database into its manifest: what remains when `history.duckdb` was lost.
 * Of each day the highest revision that is what its checksum says is taken; a damaged one is set aside as `.damaged`.
 */
export async function adoptSealed(core: HistoryCore): Promise<void> {
  const { dir } = core.options;
  const adopted = new Set((await readDays(core.database.keeper)).map(({ day }) => day));
  const byDay = new Map<string, { path: string; revision: number }[]>();
  for (const path of sealedFilesIn(join(dir, "history"))) {
    const name = sealedNameOf(path);
    if (!name || adopted.has(name.day)) continue;
    const list = byDay.get(name.day) ?? [];
    list.push({ path, revision: name.revision });
    byDay.set(name.day, list);
  }
  const workshop = new Workshop(core);
  try {
    for (const [day, candidates] of [...byDay].sort(([a], [b]) => (a < b ? -1 : 1))) {
      for (const { path, revision } of candidates.sort((a, b) => b.revision - a.revision)) {
        if (await adoptFile(core, workshop, day, path, revision)) break;
      }
    }
  } finally {
    workshop.close();
  }
}

async function adoptFile(
  core: HistoryCore,
  workshop: Workshop,
  day: string,
  path: string,
  revision: number,
): Promise<boolean> {
  const connection = core.database.keeper;
  let rows: number;
  const sha256 = await sha256Of(path);
  if ((checksumOf(path) ?? sha256) !== sha256) {
    setAside(path);
    return false;
  }
  try {
    const found = await rowsOf(
      connection,
      `select device, quantity, attributes, count(*)::double as n, sum(value) as s, max("time") as t, max(unit) as u, max(received_delay_ms) as d from ${sealedTable([path])} group by all`,
    );
    rows = found.reduce((sum, row) => sum + numberOf(row["n"]), 0);
    for (const row of found) {
      core.series.obtain(textOf(row["device"]), textOf(row["quantity"]), textOf(row["attributes"]));
    }
  } catch {
    setAside(path);
    return false;
  }
  const unsaved = [...core.series.unsaved];
  await core.database.write((writer) => appendSeries(writer, unsaved));
  core.series.saved(unsaved.length);
  const local = core.zone.day(day);
  const sealed = {
    day,
    revision,
    file: relative(core.options.dir, path),
    rows,
    bytes: statSync(path).size,
    sha256,
    fromMs: local.fromMs,
    toMs: local.toMs,
    demo: false,
  };
  await core.files.trust(sealed);
  await enlist(core, workshop, sealed);
  return true;
}
