/** What a cell says: a value (undefined for an empty cell, which takes away what is known), or what is wrong with it. */
type Cell = { value: unknown } | { fault: string };

/** A column of a CSV file of devices. */
export interface DeviceColumn {
  /** Keys of what it says, as a city file has them. */
  path: readonly string[];
  /** True for what an export tells and nobody can set. */
  isIgnored: boolean;
  read(cell: string, decimalComma: boolean): Cell;
}

const longest = 1_000;

/**
 * The text of a cell, as it was meant: the apostrophe that stands before what a spreadsheet would run as a formula is no part of it.
 * Source: OWASP, CSV Injection; our own exports write it.
 */
const textOf = (cell: string): string => cell.trim().replace(/^'(?=[=+\-@\t\r])/, "");

const text = (cell: string): Cell => {
  const said = textOf(cell);
  if (said.length > longest) return { fault: `longer than ${longest} characters` };
  return { value: said === "" ? undefined : said };
};

const figure = (cell: string, decimalComma: boolean): Cell => {
  const said = textOf(cell).replaceAll(/[\u00a0\u202f ](?=\d{3}(?:\D|$))/g, "");
  if (said === "") return { value: undefined };
  const plain = decimalComma ? said.replace(",", ".") : said;
  if (plain.length > 30 || !/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(plain))
    return { fault: "should be a number, such as 1100 or 0.5" };
  return { value: Number(plain) };
};

const seconds = (cell: string, decimalComma: boolean): Cell => {
  const read = figure(cell, decimalComma);
  return "value" in read && typeof read.value === "number" ? { value: read.value * 1_000 } : read;
};

const interval = (cell: string): Cell =>
  /^\s*\d/.test(cell) && !/[a-z]/i.test(cell)
    ? { fault: "write the unit too, such as 15m; or call the column everySeconds" }
    : text(cell);

/** `50.06 19.94`, `50.06, 19.94`, `[50.06,19.94]` (as an export writes it) to two numbers. */
const point = (cell: string): Cell => {
  const said = textOf(cell);
  if (said === "") return { value: undefined };
  if (said.length > longest) return { fault: `longer than ${longest} characters` };
  const parts = said.replace(/^\[(.*)\]$/, "$1").split(/\s*[,; ]\s*/);
  const numbers = parts.map((part) => figure(part, false));
  const values = numbers.flatMap((one) =>
    "value" in one && typeof one.value === "number" ? [one.value] : [],
  );
  return parts.length === 2 && values.length === 2
    ? { value: values }
    : { fault: "should be latitude and longitude: 50.0437 19.9494" };
};

/** An object as an export writes it: `{"devEui":"…"}`. */
const object = (cell: string): Cell => {
  const said = textOf(cell);
  if (said === "" || said === "{}") return { value: undefined };
  try {
    const read: unknown = JSON.parse(said);
    if (typeof read === "object" && read !== null && !Array.isArray(read)) return { value: read };
  } catch {
    // Told below.
  }
  return { fault: 'should be JSON, such as {"devEui":"70B3D57ED0061234"}; or give each its own column' };
};

const ignored = new Set(["since", "latest", "presence"]);
const texts = new Set([
  "id",
  "class",
  "place",
  "name",
  "model",
  "fraction",
  "commissioned",
  "decommissioned",
]);
const figures = new Set(["capacityLitres", "emptyMm", "fullMm"]);
const schemes = new Set(["devEui", "mac", "serial", "topic"]);
const registerFigures = new Set([
  "digits",
  "bits",
  "resolution",
  "multiplier",
  "maxRate",
  "backflow",
  "start",
]);

const column = (path: readonly string[], read: DeviceColumn["read"]): DeviceColumn => ({
  path,
  isIgnored: false,
  read,
});

/** A register's column: `meter.energy_import_kwh.serial`. */
function registerColumn(quantity: string, key: string): DeviceColumn | undefined {
  const path = ["meter", "registers", quantity, key];
  if (registerFigures.has(key)) return column(path, figure);
  return key === "serial" || key === "installed" ? column(path, text) : undefined;
}

/** What a heading means; undefined for one that nobody knows. */
export function deviceColumn(heading: string): DeviceColumn | undefined {
  if (ignored.has(heading)) return { path: [heading], isIgnored: true, read: text };
  if (texts.has(heading)) return column([heading], text);
  if (figures.has(heading)) return column([heading], figure);
  if (schemes.has(heading)) return column(["identifiers", heading], text);
  const [, scheme] = /^identifiers?\.([a-z][A-Za-z0-9]{0,31})$/.exec(heading) ?? [];
  if (scheme !== undefined) return column(["identifiers", scheme], text);
  const [, quantity = "", key = ""] =
    /^meter\.(?:registers\.)?([a-z][a-z0-9_]{0,63})\.([a-zA-Z]+)$/.exec(heading) ?? [];
  if (quantity !== "") return registerColumn(quantity, key);
  switch (heading) {
    case "every":
      return column(["every"], interval);
    case "everySeconds":
      return column(["every"], seconds);
    case "at":
      return column(["at"], point);
    case "latitude":
    case "lat":
      return column(["at", "0"], figure);
    case "longitude":
    case "lon":
      return column(["at", "1"], figure);
    case "identifiers":
      return column(["identifiers"], object);
    case "meter":
      return column(["meter"], object);
    case "meter.parent":
      return column(["meter", "parent"], text);
    default:
      return undefined;
  }
}
