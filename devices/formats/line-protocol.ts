/** Where a line stands in its text. */
interface Extent {
  /** Line that it begins on, from 1. */
  line: number;
  /** Letters before it, and to its end. */
  from: number;
  to: number;
}

/** A point of line protocol, unescaped. */
export interface Point extends Extent {
  measurement: string;
  tags: ReadonlyMap<string, string>;
  /** Numbers, booleans and texts in their order. */
  fields: readonly (readonly [key: string, value: number | boolean | string])[];
  /** Time in the sender's precision, as it stands there; undefined when there is none. */
  time: bigint | undefined;
}

/** A line that isn't a point: why, and its beginning. */
export interface BadLine extends Extent {
  reason: string;
  /** Its first 80 characters. */
  text: string;
}

class LineFault extends Error {}

const newline = 10;
const comma = 44;
const equals = 61;
const quote = 34;
const backslash = 92;
const space = 32;
const float = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
/** Characters of a number: the longest that says something, the least there is in full, has 1,077. */
const maxNumber = 1_100;
const booleans: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...["t", "T", "true", "True", "TRUE"].map((text) => [text, true] as const),
  ...["f", "F", "false", "False", "FALSE"].map((text) => [text, false] as const),
]);
const [leastI64, mostI64, mostU64] = [-(2n ** 63n), 2n ** 63n - 1n, 2n ** 64n - 1n];

function numberOf(text: string): number | boolean {
  const integer = /^([+-]?\d{1,20})([iu])$/.exec(text);
  if (integer) {
    const value = BigInt((integer[1] ?? "").replace("+", ""));
    const [least, most] = integer[2] === "i" ? [leastI64, mostI64] : [0n, mostU64];
    if (value < least || value > most) throw new LineFault("value out of range");
    return Number(value);
  }
  if (Object.hasOwn(booleans, text)) return booleans[text] === true;
  const value = text.length <= maxNumber && float.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value))
    throw new LineFault(/^[\d.+N-]/.test(text) ? "invalid number" : "invalid boolean");
  return value;
}

/** Reads one point after another; `at` stands where the next character is. */
class LineReader {
  at = 0;
  private readonly lastQuote: number;

  constructor(private readonly text: string) {
    this.lastQuote = text.lastIndexOf('"');
  }

  private code(): number {
    return this.at < this.text.length ? this.text.charCodeAt(this.at) : newline;
  }

  private isEnd(): boolean {
    const code = this.code();
    return code === newline || (code === 13 && (this.text.charCodeAt(this.at + 1) || newline) === newline);
  }

  private skipSpaces(): void {
    while (this.code() === space || this.code() === 9) this.at += 1;
  }

  /** A name up to one of `stops` (or the line's end); a backslash before one of `escapable` takes it as a letter. */
  private name(stops: readonly number[], escapable: readonly number[]): string {
    let [from, found] = [this.at, ""];
    while (!this.isEnd() && !stops.includes(this.code())) {
      if (this.code() === backslash && escapable.includes(this.text.charCodeAt(this.at + 1))) {
        found += this.text.slice(from, this.at);
        from = this.at + 1;
        this.at += 2;
      } else this.at += 1;
    }
    return found + this.text.slice(from, this.at);
  }

  private string(): string {
    // Without it every line with an open quote would be searched to the text's end.
    if (this.at >= this.lastQuote) throw new LineFault("unbalanced quotes");
    let [from, found] = [(this.at += 1), ""];
    while (this.at < this.text.length && this.text.charCodeAt(this.at) !== quote) {
      const next = this.text.charCodeAt(this.at + 1);
      if (this.text.charCodeAt(this.at) === backslash && (next === quote || next === backslash)) {
        found += this.text.slice(from, this.at);
        from = this.at + 1;
        this.at += 2;
      } else this.at += 1;
    }
    if (this.at >= this.text.length) throw new LineFault("unbalanced quotes");
    const value = found + this.text.slice(from, this.at);
    this.at += 1;
    if (!this.isEnd() && this.code() !== comma && this.code() !== space)
      throw new LineFault("invalid field format");
    return value;
  }

  private tags(): Map<string, string> {
    const tags = new Map<string, string>();
    const escapable = [comma, equals, space];
    while (this.code() === comma) {
      this.at += 1;
      const key = this.name([comma, equals, space], escapable);
      if (key === "") throw new LineFault("missing tag key");
      if (this.code() !== equals) throw new LineFault("missing tag value");
      this.at += 1;
      const value = this.name([comma, equals, space], escapable);
      if (value === "") throw new LineFault("missing tag value");
      if (this.code() === equals) throw new LineFault("invalid tag format");
      if (tags.has(key)) throw new LineFault("duplicate tags");
      tags.set(key, value);
    }
    return tags;
  }

  private fields(): [string, number | boolean | string][] {
    const fields: [string, number | boolean | string][] = [];
    for (;;) {
      if (this.isEnd()) throw new LineFault(fields.length === 0 ? "missing fields" : "invalid field format");
      const key = this.name([comma, equals, space], [comma, equals, space]);
      if (key === "") throw new LineFault(fields.length === 0 ? "missing field key" : "invalid field format");
      if (this.code() !== equals) throw new LineFault("invalid field format");
      this.at += 1;
      if (this.code() === quote) fields.push([key, this.string()]);
      else {
        const text = this.name([comma, space], []);
        if (text === "") throw new LineFault("missing field value");
        fields.push([key, numberOf(text)]);
      }
      if (this.code() !== comma) return fields;
      this.at += 1;
    }
  }

  private time(): bigint | undefined {
    this.skipSpaces();
    if (this.isEnd()) return undefined;
    const text = this.name([space, 9], []);
    const time = /^-?\d{1,19}$/.test(text) ? BigInt(text) : mostU64;
    this.skipSpaces();
    if (time > mostI64 || time < leastI64 || !this.isEnd()) throw new LineFault("bad timestamp");
    return time;
  }

  /** The next point; undefined for an empty line and a comment. */
  point(): Omit<Point, keyof Extent> | undefined {
    this.skipSpaces();
    if (this.isEnd()) return undefined;
    if (this.code() === 35) {
      this.leave();
      return undefined;
    }
    const measurement = this.name([comma, space], [comma, space]);
    if (measurement === "") throw new LineFault("missing measurement");
    const tags = this.tags();
    this.skipSpaces();
    const fields = this.fields();
    return { measurement, tags, fields, time: this.time() };
  }

  /** Goes to the end of the line. */
  leave(): void {
    const end = this.text.indexOf("\n", this.at);
    this.at = end === -1 ? this.text.length : end;
  }
}

/**
 * Reads line protocol, one point or bad line after the other; empty lines and comments are left out. A text in quotes may hold line ends.
 * Guarantee: linear in the text's length; a bad line costs the others nothing.
 * Source: InfluxDB documentation, "Line protocol": elements, data types and special characters.
 */
export function* readLines(text: string): Generator<Point | BadLine, void> {
  const reader = new LineReader(text);
  let line = 1;
  while (reader.at < text.length) {
    const from = reader.at;
    let found: Omit<Point, keyof Extent> | Omit<BadLine, keyof Extent> | undefined;
    try {
      found = reader.point();
    } catch (error) {
      if (!(error instanceof LineFault)) throw error;
      // Whatever an open quote ran over is read again as lines of its own.
      reader.at = from;
      const [start = ""] = text.slice(from, from + 80).split("\n", 1);
      found = { reason: error.message, text: start };
    }
    reader.leave();
    if (found) yield { ...found, line, from, to: reader.at };
    reader.at += 1;
    for (let at = from; at < reader.at; at++) if (text.charCodeAt(at) === newline) line += 1;
  }
}
