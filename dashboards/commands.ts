import { resolve } from "node:path";
import { Command } from "commander";
import { ObiegError, readCityFile } from "../devices/index.js";
import type { Device, LedgerAccount, NewToken, Token } from "./api.js";
import { type ClientFlags, findService, type Service } from "./client/address.js";
import { askService, callService, listService } from "./client/call.js";
import { addExportCommand } from "./client/export.js";
import { addImportCommand } from "./client/import.js";
import { bytesText, say, sayJson, sayTable } from "./client/print.js";
import { addQuarantineCommands } from "./client/quarantine.js";
import { addSourceCommands } from "./client/source.js";

/** Makes a command that talks to a running service; its options come after. */
export function clientCommand(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option("--data <dir>", "data folder of the running service", "./data")
    .option("--url <url>", "address of the service; without it, what its data folder says")
    .option("--token <token>", "admin's token; or OBIEG_ADMIN_TOKEN in the environment")
    .option("--json", "the answer as JSON");
}

const serviceOf = (flags: ClientFlags): Service => findService(flags, process.env);

type Entries = { kind: string; id: string }[];

function addCityCommands(program: Command): void {
  clientCommand(
    program,
    "apply",
    "make a running service's registry what a city.yaml says; show what changes",
  )
    .argument("<file>", "city.yaml")
    .option("--dry-run", "only show what would change")
    .action(async (file: string, flags: ClientFlags & { dryRun?: boolean }) => {
      const city = readCityFile(file);
      const diff = await askService<{ added: Entries; changed: Entries; removed: Entries; applied: boolean }>(
        serviceOf(flags),
        "/city",
        { method: "POST", query: { dryRun: flags.dryRun ?? false }, body: city },
      );
      if (flags.json) return sayJson(diff);
      for (const [sign, entries] of [
        ["+", diff.added],
        ["~", diff.changed],
        ["-", diff.removed],
      ] as const)
        for (const { kind, id } of entries) say(`${sign} ${kind} ${id}`);
      const counts = `${diff.added.length} added, ${diff.changed.length} changed, ${diff.removed.length} removed`;
      say(diff.applied ? `applied: ${counts}` : `would be: ${counts}; nothing was changed`);
    });
  clientCommand(
    program,
    "export-city",
    "print the registry of a running service as a city.yaml; secrets stand as names of files",
  ).action(async (flags: ClientFlags) => {
    const text = await (await callService(serviceOf(flags), "/city")).text();
    if (flags.json) sayJson({ city: text });
    else process.stdout.write(text);
  });
}

function addLedgerCommand(program: Command): void {
  clientCommand(program, "ledger", "print a local day's account of every device")
    .option("--day <day>", "YYYY-MM-DD; today unless told")
    .option("--device <id>", "of this device alone")
    .action(async (flags: ClientFlags & { day?: string; device?: string }) => {
      const accounts = await listService<LedgerAccount>(serviceOf(flags), "/ledger", {
        day: flags.day,
        device: flags.device,
      });
      if (flags.json) return sayJson(accounts);
      sayTable(
        [
          "day",
          "device",
          "received",
          "decoded",
          "ignored",
          "quarantined",
          "values",
          "stored",
          "duplicate",
          "conflict",
          "quarantined",
          "late",
          "expected",
          "covered",
          "missing",
          "balanced",
        ],
        accounts.map(({ day, device, messages: m, values: v, slots: s, balanced }) => [
          day,
          device,
          m.received,
          m.decoded,
          m.ignored,
          m.quarantined,
          v.decoded,
          v.stored,
          v.duplicate,
          v.conflict,
          v.quarantined,
          v.late,
          s.expected,
          s.covered,
          s.missing,
          balanced ? "yes" : "NO",
        ]),
      );
      if (accounts.some(({ balanced }) => !balanced)) process.exitCode = 1;
    });
}

/** `scheme=text` as the API takes it. Throws `bad-argument`. */
function identifiersOf(list: readonly string[] | undefined): Record<string, string> | undefined {
  return (
    list &&
    Object.fromEntries(
      list.map((one) => {
        const [, scheme = "", text = ""] = /^(\w+)=(.+)$/.exec(one) ?? [];
        if (text === "")
          throw new ObiegError("bad-argument", `"${one}" names no identifier: write devEui=70B3D57ED0061234`);
        return [scheme, text];
      }),
    )
  );
}

function addDeviceCommands(program: Command): void {
  const device = program.command("device").alias("devices").description("the devices of a running service");
  addImportCommand(device, clientCommand);
  clientCommand(device, "add", "add a device and give it a secret, or replace what is known of it")
    .argument("<id>", "id of the device; part of its topics")
    .requiredOption(
      "--class <class>",
      "bin, electricity-meter, heat-meter, gas-meter, water-meter, air-sensor …",
    )
    .requiredOption("--place <place>", "id of the place where it stands")
    .option("--every <seconds>", "reporting interval, seconds", Number)
    .option("--at <lat,lon>", "position, degrees")
    .option("--fraction <fraction>", "what a bin collects")
    .option("--capacity <litres>", "volume of a bin, litres", Number)
    .option("--model <model>", "maker and model, as a source's map names it")
    .option("--identifier <scheme=text...>", "what it is called elsewhere: devEui=…, mac=…, name=…")
    .option("--no-secret", "leave its secret as it is")
    .action(
      async (
        id: string,
        flags: ClientFlags & {
          class: string;
          place: string;
          every?: number;
          at?: string;
          fraction?: string;
          capacity?: number;
          model?: string;
          identifier?: string[];
          secret: boolean;
        },
      ) => {
        const service = serviceOf(flags);
        const path = `/devices/${encodeURIComponent(id)}`;
        const added = await askService<Device>(service, path, {
          method: "PUT",
          body: {
            class: flags.class,
            place: flags.place,
            at: flags.at?.split(",").map(Number),
            everySeconds: flags.every,
            fraction: flags.fraction,
            capacityLitres: flags.capacity,
            model: flags.model,
            identifiers: identifiersOf(flags.identifier),
          },
        });
        const made = flags.secret
          ? await askService<{ secret: string }>(service, `${path}/secret`, { method: "POST" })
          : undefined;
        if (flags.json) return sayJson({ ...added, ...made });
        say(`${added.id}: ${added.class} at ${added.place}`);
        if (made) say(`user ${id}, secret ${made.secret} (shown this once)`);
      },
    );
  clientCommand(device, "list", "print the devices with their newest values")
    .option("--place <place>", "at this place or below it")
    .option("--class <class>", "of this class")
    .action(async (flags: ClientFlags & { place?: string; class?: string }) => {
      const devices = await listService<Device>(serviceOf(flags), "/devices", {
        place: flags.place,
        class: flags.class,
      });
      if (flags.json) return sayJson(devices);
      sayTable(
        ["id", "class", "place", "every", "newest", "values"],
        devices.map(({ id, class: kind, place, everySeconds, latest }) => [
          id,
          kind,
          place,
          everySeconds === null ? "" : `${everySeconds} s`,
          latest
            .map(({ time }) => time)
            .sort()
            .at(-1) ?? "never",
          latest.map(({ quantity, value, unit }) => `${quantity} ${value} ${unit}`.trim()).join(", "),
        ]),
      );
    });
  clientCommand(device, "remove", "take a device out of the registry; what it sent stays")
    .argument("<id>", "id of the device")
    .action(async (id: string, flags: ClientFlags) => {
      await askService(serviceOf(flags), `/devices/${encodeURIComponent(id)}`, { method: "DELETE" });
      if (flags.json) sayJson({ removed: id });
      else say(`${id} is removed; its readings stay`);
    });
  clientCommand(
    device,
    "rotate-secret",
    "give a device or gateway a new secret; the old one stops working at once",
  )
    .argument("<id>", "device or gateway")
    .action(async (id: string, flags: ClientFlags) => {
      const made = await askService<{ user: string; secret: string }>(
        serviceOf(flags),
        `/devices/${encodeURIComponent(id)}/secret`,
        { method: "POST" },
      );
      if (flags.json) sayJson(made);
      else say(`user ${made.user}, secret ${made.secret} (shown this once)`);
    });
}

function addTokenCommands(program: Command): void {
  const token = program.command("token").description("tokens of programs that call the API");
  clientCommand(token, "create", "make a token; its secret is shown this once")
    .requiredOption("--name <name>", "what it is for")
    .requiredOption("--role <role>", "public, viewer, operator or admin")
    .option(
      "--publishes-for <ids>",
      "device ids it may send readings for, with commas; * stands for any characters",
    )
    .option("--expires <days>", "days until it stops working", Number)
    .action(
      async (
        flags: ClientFlags & { name: string; role: string; publishesFor?: string; expires?: number },
      ) => {
        const made = await askService<NewToken>(serviceOf(flags), "/tokens", {
          method: "POST",
          body: {
            name: flags.name,
            role: flags.role,
            publishesFor: flags.publishesFor?.split(","),
            expiresInDays: flags.expires,
          },
        });
        if (flags.json) sayJson(made);
        else say(`${made.name} (${made.role}): ${made.token} (shown this once)`);
      },
    );
  clientCommand(token, "list", "print the tokens, without their secrets").action(
    async (flags: ClientFlags) => {
      const tokens = await listService<Token>(serviceOf(flags), "/tokens", {});
      if (flags.json) return sayJson(tokens);
      sayTable(
        ["id", "name", "role", "created", "by", "expires", "used"],
        tokens.map((one) => [
          one.id,
          one.name,
          one.role,
          one.createdAt,
          one.createdBy,
          one.expiresAt ?? "never",
          one.usedAt ?? "never",
        ]),
      );
    },
  );
  clientCommand(token, "remove", "remove a token; it stops working at once")
    .argument("<id>", "id as obieg token list shows it")
    .action(async (id: string, flags: ClientFlags) => {
      await askService(serviceOf(flags), `/tokens/${encodeURIComponent(id)}`, { method: "DELETE" });
      if (flags.json) sayJson({ removed: id });
      else say(`token ${id} is removed`);
    });
}

function addBackupCommand(program: Command): void {
  clientCommand(
    program,
    "backup",
    "copy a consistent image of a running service's data into a new folder, with checksums",
  )
    .argument("<dir>", "empty or new folder on the service's machine")
    .action(async (dir: string, flags: ClientFlags) => {
      if (!flags.json) process.stderr.write("copying …\n");
      const report = await askService<{ dir: string; files: number; bytes: number }>(
        serviceOf(flags),
        "/backup",
        { method: "POST", body: { dir: resolve(dir) } },
      );
      if (flags.json) sayJson(report);
      else
        say(
          `${report.dir}: ${report.files} files, ${bytesText(report.bytes)}; check it with obieg verify-backup ${dir}`,
        );
    });
}

/** Adds the commands that talk to a running service. */
export function addClientCommands(program: Command): void {
  addCityCommands(program);
  addQuarantineCommands(program, clientCommand);
  addLedgerCommand(program);
  addDeviceCommands(program);
  addExportCommand(program, clientCommand);
  addBackupCommand(program);
  addTokenCommands(program);
  addSourceCommands(program, clientCommand);
}
