import { Command } from "commander";
import type { Quarantined } from "../api.js";
import { type ClientFlags, findService } from "./address.js";
import { askService, listService } from "./call.js";
import { say, sayJson, sayTable } from "./print.js";

type Maker = (parent: Command, name: string, description: string) => Command;

interface Selection {
  reason?: string;
  device?: string;
  from?: string;
  to?: string;
}

const selecting = (command: Command): Command =>
  command
    .option("--reason <code>", "with this reason")
    .option("--device <id>", "of this device")
    .option("--from <time>", "received from this time on, RFC 3339")
    .option("--to <time>", "received before this time, RFC 3339");

const asked = (ids: string[], { reason, device, from, to }: Selection): object => ({
  ...(ids.length > 0 ? { ids } : {}),
  reason,
  device,
  from,
  to,
});

function sayEntry(entry: Quarantined): void {
  say(`${entry.id}  ${entry.status}  received ${entry.receivedAt}`);
  say(`device ${entry.device}, user ${entry.user}, topic ${entry.topic}`);
  say(`${entry.reason}: ${entry.detail}`);
  if (!entry.whole) say(`only the fields at: ${entry.paths.join(" ")}`);
  const { base64, text } = entry.payload;
  if (text === null) say(`payload (hexadecimal): ${Buffer.from(base64, "base64").toString("hex")}`);
  else say(`payload: ${text}`);
}

/** Adds `quarantine list|show|replay|dismiss`. */
export function addQuarantineCommands(program: Command, make: Maker): void {
  const quarantine = program
    .command("quarantine")
    .description("what couldn't be taken: look at it, take it once more, put it aside");
  const serviceOf = (flags: ClientFlags) => findService(flags, process.env);
  selecting(make(quarantine, "list", "print what couldn't be taken, oldest first"))
    .option("--status <status>", "open, replayed or dismissed", "open")
    .option("--limit <n>", "at most this many", Number, 100)
    .action(async (flags: ClientFlags & Selection & { status: string; limit: number }) => {
      const { reason, device, from, to, status } = flags;
      const entries = await listService<Quarantined>(
        serviceOf(flags),
        "/quarantine",
        { reason, device, from, to, status },
        flags.limit,
      );
      if (flags.json) return sayJson(entries);
      sayTable(
        ["id", "received", "device", "reason", "fields", "detail"],
        entries.map((entry) => [
          entry.id,
          entry.receivedAt,
          entry.device,
          entry.reason,
          entry.whole ? "(whole)" : entry.paths.join(" "),
          entry.detail,
        ]),
      );
    });
  make(quarantine, "show", "print one entry with its payload")
    .argument("<id>", "id as quarantine list shows it")
    .action(async (id: string, flags: ClientFlags) => {
      const entry = await askService<Quarantined>(serviceOf(flags), `/quarantine/${encodeURIComponent(id)}`);
      if (flags.json) sayJson(entry);
      else sayEntry(entry);
    });
  selecting(
    make(
      quarantine,
      "replay",
      "send open entries through the pipeline once more, after their cause was mended",
    ),
  )
    .argument("[ids...]", "these entries; or say which by reason, device or time")
    .action(async (ids: string[], flags: ClientFlags & Selection) => {
      const done = await askService<{ replayed: number; refused: number }>(
        serviceOf(flags),
        "/quarantine/replay",
        { method: "POST", body: asked(ids, flags) },
      );
      if (flags.json) sayJson(done);
      else say(`${done.replayed} replayed, ${done.refused} refused once more`);
    });
  selecting(make(quarantine, "dismiss", "put open entries aside; they stay to be read"))
    .argument("[ids...]", "these entries; or say which by reason, device or time")
    .action(async (ids: string[], flags: ClientFlags & Selection) => {
      const done = await askService<{ dismissed: number }>(serviceOf(flags), "/quarantine/dismiss", {
        method: "POST",
        body: asked(ids, flags),
      });
      if (flags.json) sayJson(done);
      else say(`${done.dismissed} dismissed`);
    });
}
