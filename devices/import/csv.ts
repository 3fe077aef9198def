import { type CsvError, parse } from "csv-parse/sync";
import { deviceColumn, type DeviceColumn } from "./column.js";
import { type ImportFault, type ImportFile, type ImportRow, mostRows } from "./fault.js";

interface Parsed {
  record: string[];
  info: { lines: number };
}

/**
 * The text of a file: UTF-8 (with or without a mark), UTF-16 with a mark, else windows-1250, as Excel in Polish saves CSV.
 * Source: WHATWG Encoding; Microsoft's list of formats of Excel ("CSV", "CSV UTF-8", "Unicode text").
 */
export function textOfFile(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1250").decode(bytes);
  }
}

/** What divides the headings: the one of comma, semicolon and tab that stands among them most often, outside of quotes. */
function delimiterOf(text: string): string {
  const end = text.search(/[\r\n]/);
  const headings = (end < 0 ? text : text.slice(0, end)).replaceAll(/"[^"]*"/g, "");
  const counted = [",", ";", "\t"].map((mark) => ({ mark, count: headings.split(mark).length }));
  return counted.reduce((best, one) => (one.count > best.count ? one : best)).mark;
}

/** Sets a value at keys of an object that is being made; keys are those of {@link DeviceColumn}, never of the file. */
function put(into: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = into;
  for (const key of path.slice(0, -1)) {
    const inner = at[key];
    const next = typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>) : {};
    at[key] = next;
    at = next;
  }
  at[path.at(-1) ?? ""] = value;
}

/** Reads the headings: which column is what. */
function readHeadings(
  headings: readonly string[],
  line: number,
  faults: ImportFault[],
): (DeviceColumn | undefined)[] {
  const seen = new Set<string>();
  const columns = headings.map((heading, index) => {
    const at = { line, column: index + 1, field: heading.trim().slice(0, 80) };
    const column = deviceColumn(heading.trim());
    if (!column) {
      const message = "no column is called so: see obieg device import --help; take it out, or mend its name";
      faults.push({ ...at, code: "heading-unknown", message });
      return undefined;
    }
    const key = column.path.join(".");
    if (!column.isIgnored && seen.has(key))
      faults.push({
        ...at,
        code: "heading-twice",
        message: "another column says the same: keep one of them",
      });
    seen.add(key);
    return column;
  });
  if (!seen.has("id"))
    faults.push({ line, column: 1, code: "heading-missing", field: "id", message: "no column is called id" });
  return columns;
}

function rowOf(
  { record }: Parsed,
  line: number,
  columns: readonly (DeviceColumn | undefined)[],
  headings: readonly string[],
  decimalComma: boolean,
  faults: ImportFault[],
): ImportRow {
  const said: Record<string, unknown> = {};
  for (const [index, column] of columns.entries()) {
    if (!column || column.isIgnored) continue;
    const read = column.read(record[index] ?? "", decimalComma);
    if (typeof read === "object" && read !== null && "fault" in read) {
      const at = { line, column: index + 1, field: headings[index]?.trim() ?? "" };
      faults.push({ ...at, code: "value-invalid", message: read.fault });
    } else put(said, column.path, read.value);
  }
  const placeOf = (path: readonly PropertyKey[]): ReturnType<ImportRow["placeOf"]> => {
    const key = path.map(String).join(".");
    const index = columns.findIndex((column) => {
      const own = column?.path.join(".") ?? "";
      return own !== "" && (own === key || key.startsWith(`${own}.`) || own.startsWith(`${key}.`));
    });
    return { line, column: Math.max(0, index) + 1, field: headings[index]?.trim() ?? key };
  };
  return { line, said, placeOf };
}

/**
 * Reads devices from CSV: headings in the first row, divided by comma, semicolon or tab, quoted as RFC 4180 says. Where it isn't the
 * comma that divides, a decimal comma is taken too. Empty rows are left out.
 * Guarantee: never throws on any bytes; every fault has its line.
 */
export function readCsv(bytes: Uint8Array): ImportFile {
  const whole = textOfFile(bytes);
  // Excel's own first line, by which it says what divides the cells.
  const [declared = "", mark] = /^sep=([,;\t])\r?\n/.exec(whole) ?? [];
  const text = whole.slice(declared.length);
  const delimiter = mark ?? delimiterOf(text);
  const above = declared === "" ? 0 : 1;
  const faults: ImportFault[] = [];
  let parsed: Parsed[];
  try {
    parsed = parse(text, {
      delimiter,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      skip_records_with_empty_values: true,
      max_record_size: 65_536,
      to: mostRows + 2,
    }) as unknown as Parsed[];
  } catch (error) {
    const { lines: told = 1, message } = error as CsvError & { lines?: number };
    const lines = told + above;
    const said = "a quote isn't closed, or stands within a cell that isn't quoted: put it twice, in quotes";
    const why = /quote/i.test(message) ? said : message.slice(0, 200);
    return { rows: [], faults: [{ line: lines, column: 1, code: "csv-broken", field: "", message: why }] };
  }
  const [first, ...rest] = parsed;
  if (!first) {
    const message = "the file is empty: its first row holds the headings";
    return { rows: [], faults: [{ line: 1, column: 1, code: "file-empty", field: "", message }] };
  }
  const headings = first.record;
  const columns = readHeadings(headings, first.info.lines + above, faults);
  if (rest.length > mostRows) {
    const message = `more than ${mostRows} rows: divide the file`;
    faults.push({
      line: (rest[mostRows]?.info.lines ?? 1) + above,
      column: 1,
      code: "rows-too-many",
      field: "",
      message,
    });
  }
  if (faults.length > 0) return { rows: [], faults };
  const rows = rest.map((one) => {
    // A row that holds line ends in quotes is told by its last line, so its first is found by counting them.
    const line = above + one.info.lines - one.record.join("").split(/\r\n|\n|\r/).length + 1;
    const extra = one.record.slice(headings.length).some((cell) => cell.trim() !== "");
    if (extra) {
      const message = `${one.record.length} cells under ${headings.length} headings: quote the cell that holds "${delimiter === "\t" ? "a tab" : delimiter}"`;
      faults.push({ line, column: headings.length + 1, code: "row-too-long", field: "", message });
    }
    return rowOf(one, line, columns, headings, delimiter !== ",", faults);
  });
  return { rows, faults };
}
