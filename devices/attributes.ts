/** Text keys that a reading may carry; they are part of a value's identity. */
export const attributeNames = ["destination", "fraction", "origin", "vehicle", "waste_code"] as const;

/** Fractions that waste is collected in. */
export const fractions = [
  "paper",
  "glass",
  "plastics_metals",
  "bio",
  "mixed",
  "bulky",
  "textiles",
  "electronics",
  "construction",
  "green",
] as const;

const known: ReadonlySet<string> = new Set(attributeNames);
const maxLength = 128;

/** True for the name of an attribute. */
export function isAttribute(name: string): boolean {
  return known.has(name);
}

/** True for a text that an attribute may have: 1 to 128 characters, none of them a control character, no backslash at the end. */
export function isAttributeText(name: string, text: string): boolean {
  if (text.length === 0 || text.length > maxLength || text.endsWith("\\")) return false;
  if (/\p{Cc}/u.test(text)) return false;
  return name !== "fraction" || (fractions as readonly string[]).includes(text);
}

/** Attributes as canonical JSON (keys in order); "" for none. */
export function attributesText(attributes: Readonly<Record<string, string>>): string {
  const keys = Object.keys(attributes).sort();
  if (keys.length === 0) return "";
  return JSON.stringify(Object.fromEntries(keys.map((key) => [key, attributes[key]])));
}

/** Reads canonical JSON back. */
export function parseAttributes(text: string): Record<string, string> {
  return text === "" ? {} : (JSON.parse(text) as Record<string, string>);
}
