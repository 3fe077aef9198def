import fc from "fast-check";
import { expect, test } from "vitest";
import { deviceColumn } from "../devices/import/column.js";
import { type ImportFormat, type ImportPlan, parseCity, planImport, readDevices } from "../devices/index.js";
import { ended } from "./support/bounded.js";
import { openTestPipeline } from "./support/pipeline.js";

const city = `city: { name: Kraków, timeZone: Europe/Warsaw }
places:
  - { id: krakow, kind: city, name: Kraków }
  - { id: krakow/podgorze, kind: district, name: Podgórze }
devices:
  - { id: bin-1, class: bin, place: krakow, name: Stary, fraction: bio, every: 15m, identifiers: { devEui: 70B3D57ED0000001 } }
  - { id: em-1, class: electricity-meter, place: krakow }
`;
const works = await openTestPipeline(city, Date.parse("2026-11-23T10:00:00Z"));
const { registry } = works;

const plan = async (
  file: string | Uint8Array,
  format: ImportFormat = "csv",
  skipFaulty = false,
): Promise<ImportPlan> => planImport(await readDevices(Buffer.from(file), format), registry, skipFaulty);
const faultsOf = async (file: string | Uint8Array, format: ImportFormat = "csv"): Promise<string[]> =>
  (await plan(file, format)).faults.map(
    ({ line, column, code, field }) => `${line}:${column} ${code} ${field}`,
  );

test("a file of Excel in Polish is taken: semicolons, a mark, decimal commas, quotes, line ends in a cell, empty rows", async () => {
  const text =
    "id;class;place;name;latitude;longitude;capacityLitres;every;devEui\r\n" +
    'bin-7;bin;krakow/podgorze;"Śmietnik ""U Zośki""; podwórze";50,0437;19,9494;1 100;15m;70-b3-d5-7e-d0-06-12-34\r\n' +
    ";;;;;;;;\r\n\r\n" +
    "bin-8;bin;krakow;Żółć;;;240,5;;\r\n";
  const expected = [
    {
      id: "bin-7",
      class: "bin",
      place: "krakow/podgorze",
      name: 'Śmietnik "U Zośki"; podwórze',
      at: [50.0437, 19.9494],
      capacityLitres: 1_100,
      everyMs: 900_000,
      identifiers: { devEui: "70-b3-d5-7e-d0-06-12-34" },
    },
    { id: "bin-8", class: "bin", place: "krakow", name: "Żółć", capacityLitres: 240.5 },
  ];
  const windows1250 = Buffer.from(
    Array.from(
      text,
      (letter) => ({ Ś: 0x8c, ś: 0x9c, ó: 0xf3, Ż: 0xaf, ł: 0xb3, ć: 0xe6 })[letter] ?? letter.charCodeAt(0),
    ),
  );
  const utf16 = Buffer.from(
    `\ufeff${text.replaceAll(";", "\t").replace("\t podwórze", "; podwórze")}`,
    "utf16le",
  );
  for (const bytes of [text, `\ufeff${text}`, `sep=;\r\n${text}`, windows1250, utf16])
    expect(await plan(bytes)).toEqual({ added: expected, changed: [], unchanged: 0, faults: [] });
});

test("a row is told by the line that it begins in, also where its cells hold line ends", async () => {
  const file = 'id,class,place,model\nbin-7,bin,nowhere,"two\nlines"\nbin-8,bin,nowhere,\n';
  expect(await faultsOf(file)).toEqual(["2:3 place-not-found place", "4:3 place-not-found place"]);
  expect(await faultsOf(`sep=,\n${file}`)).toEqual([
    "3:3 place-not-found place",
    "5:3 place-not-found place",
  ]);
});

test("a column that isn't there leaves what is known, an empty cell takes it away, and what is so already is no change", async () => {
  const moved = await plan("id,place\nbin-1,krakow/podgorze\nem-1,krakow\n");
  expect(moved).toMatchObject({ added: [], unchanged: 1, faults: [] });
  expect(moved.changed).toEqual([
    {
      id: "bin-1",
      class: "bin",
      place: "krakow/podgorze",
      name: "Stary",
      fraction: "bio",
      everyMs: 900_000,
      identifiers: { devEui: "70B3D57ED0000001" },
    },
  ]);
  const [cleared] = (await plan("id,name,devEui\nbin-1,,\n")).changed;
  expect(cleared).toEqual({ id: "bin-1", class: "bin", place: "krakow", fraction: "bio", everyMs: 900_000 });
});

test("every fault is told with line, column, code and heading, and one of them leaves nothing to be done", async () => {
  const file = [
    "id,class,place,capacityLitres,every,devEui,latitude,longitude,fraction",
    "bin-2,bin,krakow,much,,,,,",
    "bin-3,spaceship,krakow,,,,,,",
    "bin-4,bin,warszawa,,,,,,",
    "bin 5,bin,krakow,,,,,,",
    "bin-6,bin,krakow,,900,,,,",
    "bin-7,bin,krakow,,,70B3D57ED0000001,,,",
    "bin-8,bin,krakow,,,70B3D57ED0000008,,,",
    "bin-9,bin,krakow,,,70b3d57ed0000008,,,",
    "bin-8,bin,krakow,,,,,,",
    "bin-10,bin,krakow,,,,50.1,,",
    "bin-11,bin,krakow,,,,,,gold",
    ",bin,krakow,,,,,,",
    "bin-12,bin,krakow,,,nonsense,,,",
    "bin-13,bin,krakow,,,,,,,,x",
    "bin-14,bin,krakow,100,15m,,50,20,paper",
  ].join("\n");
  const { added, changed, faults } = await plan(file);
  expect([added, changed]).toEqual([[], []]);
  expect(faults.map(({ line, column, code, field }) => `${line}:${column} ${code} ${field}`)).toEqual([
    "2:4 value-invalid capacityLitres",
    "3:2 value-invalid class",
    "4:3 place-not-found place",
    "5:1 value-invalid id",
    "6:5 value-invalid every",
    "7:6 identifier-taken devEui",
    "9:6 identifier-twice devEui",
    "10:1 id-twice id",
    "11:8 value-invalid longitude",
    "12:9 value-invalid fraction",
    "13:1 value-invalid id",
    "14:6 value-invalid devEui",
    "15:10 row-too-long ",
  ]);
  expect(faults.every(({ message }) => message !== "")).toBe(true);
  const rest = await plan(file, "csv", true);
  expect(rest.added.map(({ id }) => id)).toEqual(["bin-8", "bin-14"]);
  expect(rest.faults).toHaveLength(13);
});

test("a time of service is taken with its offset", async () => {
  const file = "id,commissioned,decommissioned\nbin-1,2026-01-01T00:00:00+01:00,\n";
  expect((await plan(file)).changed).toMatchObject([{ commissioned: Date.parse("2025-12-31T23:00:00Z") }]);
  expect(await faultsOf(file.replace("+01:00,", "+01:00,2025-01-01T00:00:00Z"))).toEqual([
    "2:3 value-invalid decommissioned",
  ]);
});

test("an identifier may go from one device to another in the same file, and a meter below one that it brings", async () => {
  const swapped = await plan("id,class,place,devEui\nbin-1,bin,krakow,\nbin-2,bin,krakow,70B3D57ED0000001\n");
  expect(swapped.faults).toEqual([]);
  expect(swapped.added).toMatchObject([{ id: "bin-2", identifiers: { devEui: "70B3D57ED0000001" } }]);
  const meters =
    "id,class,place,meter.parent,meter.energy_import_kwh.serial,meter.energy_import_kwh.maxRate,meter.energy_import_kwh.installed,meter.energy_import_kwh.digits\n" +
    "em-3,electricity-meter,krakow,em-2,99-1,50,2024-05-01T10:00:00+02:00,6\n" +
    "em-2,electricity-meter,krakow,,,,,\n";
  const { added, faults } = await plan(meters);
  expect(faults).toEqual([]);
  expect(added[0]?.meter).toMatchObject({
    parent: "em-2",
    registers: {
      energy_import_kwh: {
        serial: "99-1",
        digits: 6,
        maxRate: 50,
        installed: Date.parse("2024-05-01T08:00:00Z"),
      },
    },
  });
  expect(
    await faultsOf(meters.replace("em-2,electricity-meter,krakow,,", "em-2,electricity-meter,krakow,em-3,")),
  ).toEqual(["2:4 parent-invalid meter.parent", "3:4 parent-invalid meter.parent"]);
  const orphaned = await plan(
    meters.replace("em-2,electricity-meter,krakow", "em-2,electricity-meter,nowhere"),
    "csv",
    true,
  );
  expect([orphaned.added, orphaned.faults.map(({ line }) => line)]).toEqual([[], [2, 3]]);
});

test("what isn't a table of devices is refused at its place", async () => {
  expect(await faultsOf("")).toEqual(["1:1 file-empty "]);
  expect(await faultsOf("id,colour,id\nbin-1,red,x\n")).toEqual([
    "1:2 heading-unknown colour",
    "1:3 heading-twice id",
  ]);
  expect(await faultsOf("class,place\nbin,krakow\n")).toEqual(["1:1 heading-missing id"]);
  expect(await faultsOf('id,place\nbin-1,"krakow\n')).toEqual([
    expect.stringMatching(/^[23]:1 csv-broken $/),
  ]);
  expect(await faultsOf('id,place\nbin-1,a"b"\n')).toEqual([expect.stringMatching(/^2:1 csv-broken $/)]);
  expect(await faultsOf("id: [", "yaml")).toEqual([expect.stringMatching(/ yaml-broken $/)]);
  expect(await faultsOf("devices: nothing", "yaml")).toEqual(["1:1 file-empty "]);
  expect(await faultsOf("- 5\n- { id: bin-9, class: bin, place: krakow }\n", "yaml")).toEqual([
    "1:3 row-invalid ",
  ]);
  const many = `id\n${"bin-1\n".repeat(50_001)}`;
  expect(await faultsOf(many)).toEqual(["50002:1 rows-too-many "]);
});

test("YAML is taken as a city file writes it, its faults at line and column", async () => {
  const file = `devices:
  - { id: bin-7, class: bin, place: krakow, every: 15m, at: [50, 20] }
  - id: bin-1
    name: null
  - id: bin-8
    class: bin
    place: krakow
    colour: red
    __proto__: { isAdmin: true }
    identifiers: { mac: nonsense }
`;
  const { faults } = await plan(file, "yaml");
  expect(faults.map(({ line, column, code, field }) => `${line}:${column} ${code} ${field}`)).toEqual([
    "8:13 value-invalid colour",
    "9:16 value-invalid __proto__",
    "10:18 value-invalid identifiers",
  ]);
  const { added, changed } = await plan(file, "yaml", true);
  expect(added).toEqual([{ id: "bin-7", class: "bin", place: "krakow", everyMs: 900_000, at: [50, 20] }]);
  expect(changed[0]).not.toHaveProperty("name");
  expect(Object.hasOwn(Object.prototype, "isAdmin")).toBe(false);
  expect(await faultsOf("- &a { id: bin-1, model: &b [*b, *b] }", "yaml")).not.toEqual([]);
});

test("what a spreadsheet would run stays text, and the apostrophe that an export puts before it is taken off", async () => {
  const file = `id,class,place,name,model\nbin-7,bin,krakow,"=HYPERLINK(""http://x"")",'@SUM(A1)\n`;
  expect((await plan(file)).added).toMatchObject([{ name: '=HYPERLINK("http://x")', model: "@SUM(A1)" }]);
  expect(await faultsOf("id,class,place,name\nbin-7,bin,krakow,a\u202eb\n")).toEqual([
    "2:4 value-invalid name",
  ]);
});

test("a cell of a million characters that isn't what its column wants costs a look at each of them", () => {
  const digits = "1".repeat(1_000_000);
  const cells = [`${digits}x`, `1${"\t".repeat(1_000_000)}1`, "\u00a0".repeat(1_000_000)];
  for (const heading of [
    "capacityLitres",
    "every",
    "everySeconds",
    "at",
    "latitude",
    "devEui",
    "identifiers",
  ])
    for (const cell of [...cells, `[${digits}x`, `${digits},5`]) {
      const read = ended(() => deviceColumn(heading)?.read(cell, true));
      expect(read, heading).toHaveProperty(cell.trim() === "" ? "value" : "fault");
    }
});

test("no bytes make it throw, and a fault anywhere leaves nothing to be done", async () => {
  const cell = fc.oneof(
    fc.constantFrom(
      "id",
      "class",
      "place",
      "bin",
      "krakow",
      '"',
      '""',
      ";",
      ",",
      "\n",
      "\r\n",
      "\t",
      "'=",
      "",
      "50,1",
      "{}",
      "[1,2]",
      "- ",
      ": ",
      "&a ",
      "*a",
    ),
    fc.string({ unit: "binary", maxLength: 8 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.array(cell, { maxLength: 40 }).map((cells) => Buffer.from(cells.join(""))),
        fc.uint8Array({ maxLength: 60 }),
      ),
      fc.constantFrom<ImportFormat>("csv", "yaml"),
      async (bytes, format) => {
        const { added, changed, faults } = await plan(bytes, format);
        if (faults.length > 0) expect(added.length + changed.length).toBe(0);
        for (const { line, column } of faults) expect(Math.min(line, column)).toBeGreaterThanOrEqual(1);
      },
    ),
    { numRuns: 500 },
  );
});

test("thousands of rows are put into the registry in one change", async () => {
  const rows = Array.from(
    { length: 5_000 },
    (_, n) => `bin-x${n},bin,krakow/podgorze,"Bin, ${n}",${(n + 1).toString(16).padStart(16, "0")}`,
  );
  const file = await readDevices(Buffer.from(`id,class,place,name,devEui\n${rows.join("\n")}`), "csv");
  const before = registry.changes(100).length;
  await registry.putDevices(() => planImport(file, registry, false).added, "anna");
  expect(registry.changes(100).length - before).toBe(1);
  expect(registry.byIdentifier("devEui", "0000000000001388")?.name).toBe("Bin, 4999");
  expect(planImport(file, registry, false)).toMatchObject({
    added: [],
    changed: [],
    unchanged: 5_000,
    faults: [],
  });
  const again = parseCity(registry.exportCity(), {
    file: "city.yaml",
    env: {},
    readBeside: () => "a long secret",
  });
  expect(again.devices).toHaveLength(5_002);
  await works.close();
});
