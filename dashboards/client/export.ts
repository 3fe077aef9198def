import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Command } from "commander";
import { ObiegError } from "../../devices/index.js";
import { type ClientFlags, findService } from "./address.js";
import { callService } from "./call.js";
import { bytesText } from "./print.js";

type Maker = (parent: Command, name: string, description: string) => Command;

const formats: Readonly<Record<string, string>> = { csv: "text/csv", ndjson: "application/x-ndjson" };
const lists = ["readings", "devices", "places", "quantities", "ledger", "quarantine", "alerts", "audit"];

interface ExportFlags extends ClientFlags {
  format: string;
  out?: string;
  device?: string;
  place?: string;
  quantity?: string;
  from?: string;
  to?: string;
  day?: string;
}

/** Adds `export LIST`: streams a list of the API into a file or to standard output. */
export function addExportCommand(program: Command, make: Maker): void {
  make(program, "export", "stream a list of a running service as CSV or NDJSON")
    .argument("<list>", lists.join(", "))
    .option("--format <format>", "csv or ndjson", "csv")
    .option("--out <file>", "file to write; standard output without it")
    .option("--device <id>", "of this device")
    .option("--place <place>", "at this place or below it")
    .option("--quantity <name>", "of this quantity")
    .option("--from <time>", "from this time on, RFC 3339")
    .option("--to <time>", "before this time, RFC 3339")
    .option("--day <day>", "ledger: the local day, YYYY-MM-DD")
    .action(async (list: string, flags: ExportFlags) => {
      const accept = formats[flags.format];
      if (accept === undefined)
        throw new ObiegError("bad-argument", `no format ${flags.format}: write csv or ndjson`);
      if (!lists.includes(list))
        throw new ObiegError("bad-argument", `no list ${list}: there are ${lists.join(", ")}`);
      const { device, place, quantity, from, to, day } = flags;
      const response = await callService(findService(flags, process.env), `/${list}`, {
        accept,
        query: { device, place, quantity, from, to, day },
      });
      if (!response.body) return;
      let bytes = 0;
      const counted = async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
        let told = Date.now();
        for await (const chunk of source) {
          bytes += chunk.length;
          yield chunk;
          if (flags.out === undefined || Date.now() - told < 1_000) continue;
          told = Date.now();
          process.stderr.write(`${bytesText(bytes)} …\n`);
        }
      };
      const source = Readable.fromWeb(response.body as never);
      if (flags.out === undefined) {
        await pipeline(source, counted, process.stdout, { end: false });
        return;
      }
      await pipeline(source, counted, createWriteStream(flags.out));
      process.stderr.write(`${flags.out}: ${bytesText(bytes)}\n`);
    });
}
