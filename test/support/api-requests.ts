import fc from "fast-check";

/** The part of JSON Schema (2020-12) that the description uses. */
export interface Schema {
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: boolean | Schema;
  prefixItems?: Schema[];
  pattern?: string;
  format?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  minItems?: number;
  maxItems?: number;
}

/** One call of `/openapi.json`. */
export interface Operation {
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[];
  requestBody?: { required?: boolean; content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

/** A request as it goes on the wire; the path with its query. */
export interface WireRequest {
  path: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
}

const times = ["2026-11-23T10:00:00Z", "2026-11-24T10:00:00.5+14:00", "2000-01-01T00:00:00Z"];

/** Texts that have broken something somewhere. */
const hostileTexts = [
  "",
  " ",
  "\0",
  "a\0b",
  "\n\r",
  "\\",
  "'",
  `"'; DROP TABLE readings; --`,
  "../../../../etc/passwd",
  "..\\..\\x",
  "/",
  ".",
  "..",
  "%",
  "%00",
  "%2e%2e%2f",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "NaN",
  "Infinity",
  "-Infinity",
  "1e400",
  "-1",
  "0x10",
  "9007199254740993",
  "99999999999999999999999999",
  "0000-01-01T00:00:00Z",
  "9999-12-31T23:59:59.999Z",
  "9999-12-31",
  "0000-00-00",
  "2026-02-30",
  "2026-13-45T99:99:99Z",
  "-000001-01-01T00:00:00Z",
  "99999999d",
  "0s",
  "1e9ms",
  "=cmd|' /C calc'!A0",
  "<script>alert(1)</script>",
  "${jndi:ldap://x}",
  "%s%n",
  "😀",
  "\ud800",
  "\u202etxt",
  "a\u0301",
  "ı",
  "WzFlMzAwLCJ4Il0=",
  "W251bGwsbnVsbF0=",
  "after99999999999999999999",
  "at-1",
  "x".repeat(5_000),
];

const hostileValues = (): fc.Arbitrary<unknown> =>
  fc.oneof(
    fc.constantFrom<unknown>(...hostileTexts),
    fc.constantFrom<unknown>(-1, 0, -0, 1.5, 1e308, 5e-324, 2 ** 53, -(2 ** 63), 1e21),
    fc.constantFrom<unknown>(null, true, [], {}, [[]], [null], { length: 1e9 }, { toJSON: "x" }),
    fc.jsonValue({ maxDepth: 3 }),
    fc.string({ unit: "binary", maxLength: 40 }),
  );

function textFor(schema: Schema): fc.Arbitrary<string> {
  const { pattern, format, minLength = 0, maxLength = 60 } = schema;
  if (format === "date") return fc.constantFrom("2026-11-23", "2024-02-29", "1970-01-01", "2100-12-31");
  if (pattern?.startsWith(String.raw`^\d{4}-\d{2}`)) return fc.constantFrom(...times);
  const fits = (text: string): boolean => text.length >= minLength && text.length <= maxLength;
  if (pattern !== undefined)
    return fc.stringMatching(new RegExp(pattern, "u"), { maxLength: Math.min(maxLength, 60) }).filter(fits);
  return fc.string({ minLength, maxLength: Math.min(maxLength, 60), unit: "grapheme" }).filter(fits);
}

const numberFor = (schema: Schema, isWhole: boolean): fc.Arbitrary<number> => {
  const min =
    schema.minimum ?? (schema.exclusiveMinimum === undefined ? -1e6 : schema.exclusiveMinimum + 1e-3);
  const max = Math.max(min, schema.maximum ?? 1e6);
  return isWhole
    ? fc.integer({ min: Math.max(Math.ceil(min), -(2 ** 31)), max: Math.min(Math.floor(max), 2 ** 31 - 1) })
    : fc.double({ min, max, noNaN: true });
};

function objectFor(schema: Schema): fc.Arbitrary<unknown> {
  const properties = Object.entries(schema.properties ?? {});
  const known = fc.record(Object.fromEntries(properties.map(([name, one]) => [name, validValue(one)])), {
    requiredKeys: schema.required ?? [],
  });
  const { additionalProperties: more } = schema;
  if (typeof more !== "object" || properties.length > 0) return known;
  return fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), validValue(more), { maxKeys: 3 });
}

/** Values that a schema takes, near enough: what only the code checks is not known here. */
export function validValue(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return fc.oneof(...choices.map(validValue));
  if (schema.allOf) return validValue(Object.assign({}, ...schema.allOf) as Schema);
  const [type] = [schema.type].flat();
  if (Array.isArray(schema.type))
    return fc.oneof(...schema.type.map((one) => validValue({ ...schema, type: one })));
  if (type === "string") return textFor(schema);
  if (type === "number" || type === "integer") return numberFor(schema, type === "integer");
  if (type === "boolean") return fc.boolean();
  if (type === "null") return fc.constant(null);
  if (type === "object") return objectFor(schema);
  if (type !== "array") return fc.jsonValue({ maxDepth: 3 });
  if (schema.prefixItems) return fc.tuple(...schema.prefixItems.map(validValue));
  const { items, minItems: minLength = 0, maxItems = 4 } = schema;
  return fc.array(typeof items === "object" ? validValue(items) : fc.jsonValue(), {
    minLength,
    maxLength: Math.max(minLength, Math.min(maxItems, 4)),
  });
}

/** A valid value with one thing wrong: a property left out, put in, or replaced. */
const nearValue = (schema: Schema): fc.Arbitrary<unknown> =>
  fc.tuple(validValue(schema), hostileValues(), fc.nat(), fc.nat(2)).map(([value, wrong, at, how]) => {
    if (typeof value !== "object" || value === null) return wrong;
    if (Array.isArray(value)) return [...(value as unknown[]), wrong];
    const keys = Object.keys(value);
    const key = keys[at % Math.max(1, keys.length)] ?? "x";
    if (how === 0) return Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));
    return how === 1 ? { ...value, [key]: wrong } : { ...value, surplus: wrong };
  });

const rawBodies = [
  "",
  "{",
  "null",
  "NaN",
  '"',
  "[1e999]",
  '{"a":NaN}',
  '{"__proto__":{"isAdmin":true}}',
  '{"constructor":{"prototype":{"isAdmin":true}}}',
  '{"role":"admin","role":"viewer"}',
  "[".repeat(30_000),
  `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`,
  `{"note":"${"x".repeat(70_000)}"}`,
  "\ufeff{}",
  "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
];

/** Bodies that a schema takes, nearly takes, or never would. */
export const bodiesFor = (schema: Schema): fc.Arbitrary<Buffer> =>
  fc.oneof(
    { weight: 5, arbitrary: validValue(schema).map((value) => Buffer.from(JSON.stringify(value) ?? "")) },
    { weight: 3, arbitrary: nearValue(schema).map((value) => Buffer.from(JSON.stringify(value) ?? "")) },
    { weight: 1, arbitrary: hostileValues().map((value) => Buffer.from(JSON.stringify(value) ?? "")) },
    { weight: 1, arbitrary: fc.constantFrom(...rawBodies).map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  );

/** Percent-encodes every byte that isn't plain, so that any text can be sent, lone surrogates as U+FFFD. */
const encoded = (text: string): string =>
  [...Buffer.from(text)]
    .map((byte) =>
      /[A-Za-z0-9_~-]/.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).padStart(2, "0")}`,
    )
    .join("");

const inAddress = (schema: Schema): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: validValue(schema).map((value) => encoded(String(value))) },
    { weight: 1, arbitrary: fc.constantFrom(...hostileTexts).map(encoded) },
    {
      weight: 1,
      arbitrary: fc.constantFrom("%", "%zz", "%ff", "%c0%af", "%00", "..", "%2e%2e%2f", "a%2fb", "+"),
    },
  );

function queryFor(operation: Operation, valued: Readonly<Record<string, string[]>>): fc.Arbitrary<string> {
  const asked = (operation.parameters ?? []).filter((parameter) => parameter.in === "query");
  const one = asked.map(({ name, required, schema }) => {
    const usual = valued[name] ? fc.constantFrom(...valued[name]).map(encoded) : inAddress(schema);
    const value = fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: inAddress(schema) });
    const pair = value.map((text) => `${name}=${text}`);
    const twice = fc.tuple(pair, pair).map((pairs) => pairs.join("&"));
    const none = fc.constant("");
    return fc.oneof(
      { weight: required ? 8 : 2, arbitrary: pair },
      { weight: required ? 1 : 4, arbitrary: none },
      { weight: 1, arbitrary: twice },
    );
  });
  const surplus = fc.constantFrom("", "", "", "__proto__=1", "constructor[prototype]=1", "&&=&", "%00=%00");
  return fc.tuple(...one, surplus).map((parts) => parts.filter((part) => part !== "").join("&"));
}

const mediaTypes = [
  "text/plain",
  "application/xml",
  "multipart/form-data; boundary=x",
  "application/json; charset=utf-7",
  "x",
  "",
];
const accepts = [
  "*/*",
  "text/csv",
  "application/x-ndjson",
  "image/png",
  "application/json;q=0, */*;q=NaN",
  ",,;;",
];

/**
 * Requests for one call: valid, nearly valid and hostile.
 * `valued` names what exists, by parameter; it is what most requests ask for.
 */
export function requestsOf(
  path: string,
  operation: Operation,
  valued: Readonly<Record<string, string[]>>,
  bodies?: fc.Arbitrary<Buffer>,
): fc.Arbitrary<WireRequest> {
  const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
  const values = fc.tuple(
    ...inPath.map(({ name, schema }) =>
      fc.oneof(
        { weight: 2, arbitrary: fc.constantFrom(...(valued[name] ?? ["none"])).map(encoded) },
        { weight: 2, arbitrary: inAddress(schema) },
      ),
    ),
  );
  const described = Object.keys(operation.requestBody?.content ?? { "application/json": {} });
  const type = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...described) },
    { weight: 1, arbitrary: fc.constantFrom(...mediaTypes) },
  );
  const accept = fc.oneof(
    { weight: 3, arbitrary: fc.constant("application/json") },
    { weight: 1, arbitrary: fc.constantFrom(...accepts) },
  );
  return fc
    .tuple(values, queryFor(operation, valued), bodies ?? fc.constant(undefined), type, accept)
    .map(([parts, query, bytes, contentType, wanted]) => {
      let filled = path;
      inPath.forEach(({ name }, index) => (filled = filled.replace(`{${name}}`, () => parts[index] ?? "")));
      const typed = bytes === undefined || contentType === "" ? {} : { "content-type": contentType };
      return {
        path: query === "" ? filled : `${filled}?${query}`,
        headers: { accept: wanted, ...typed },
        body: bytes,
      };
    });
}
