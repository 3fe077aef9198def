/**
 * What a maker's codec finds around it, as JavaScript of the sandbox: a clock that stands at the receive time, UTC, a
 * steady `Math.random`, a silent console, and small shims of what codecs in the wild call (`Buffer`, `TextDecoder`,
 * `atob`, `Intl`). Part of the scope of {@link realm}, whose names it uses.
 * Source: ECMAScript; WHATWG Encoding; Node's Buffer, as far as codecs use it.
 */
export const surroundings = String.raw`
const clock = { now: 0 };
const utcOf = (text) =>
  RealDate.parse(/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text) ? text.replace(" ", "T") + "Z" : text);
function Clock(...parts) {
  if (!new.target) return new RealDate(clock.now).toUTCString();
  const [first] = parts;
  const time =
    parts.length === 0 ? clock.now
    : parts.length > 1 ? RealDate.UTC(...parts)
    : typeof first === "string" ? utcOf(first)
    : first;
  return construct(RealDate, [time], new.target);
}
Clock.prototype = RealDate.prototype;
Clock.now = () => clock.now;
Clock.UTC = RealDate.UTC;
Clock.parse = utcOf;
for (const name of getOwnPropertyNames(RealDate.prototype)) {
  if (/^[gs]etUTC/.test(name)) RealDate.prototype[name.replace("UTC", "")] = RealDate.prototype[name];
}
RealDate.prototype.getTimezoneOffset = () => 0;
RealDate.prototype.toString = RealDate.prototype.toUTCString;
defineProperty(RealDate.prototype, "constructor", { value: Clock, writable: true, configurable: true });
add("Date", Clock);

let seed = 1;
Math.random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;

const silent = () => undefined;
add("console", {
  log: silent, info: silent, warn: silent, error: silent, debug: silent, trace: silent, table: silent, dir: silent,
  group: silent, groupEnd: silent, assert: silent, time: silent, timeEnd: silent, count: silent,
});

const utf8Of = (text) => {
  const bytes = [];
  for (const character of RealString(text)) {
    let point = character.codePointAt(0);
    if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    else bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
  }
  return bytes;
};
const textOf = (bytes) => {
  let text = "";
  for (let i = 0; i < bytes.length; ) {
    const lead = bytes[i++];
    const more = lead < 0x80 ? 0 : lead >= 0xc2 && lead < 0xe0 ? 1 : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : -1;
    if (more <= 0) { text += more < 0 ? "�" : RealString.fromCharCode(lead); continue; }
    let point = lead & (63 >> more), left = more;
    while (left > 0 && i < bytes.length && (bytes[i] & 0xc0) === 0x80) { point = (point << 6) | (bytes[i++] & 63); left -= 1; }
    const least = [0, 0x80, 0x800, 0x10000][more];
    const whole = left === 0 && point >= least && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
    text += whole ? RealString.fromCodePoint(point) : "�";
  }
  return text;
};
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const base64Of = (bytes) => {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const three = (bytes[i] << 16) | ((bytes[i + 1] || 0) << 8) | (bytes[i + 2] || 0);
    text += letters[three >> 18] + letters[(three >> 12) & 63]
      + (i + 1 < bytes.length ? letters[(three >> 6) & 63] : "=") + (i + 2 < bytes.length ? letters[three & 63] : "=");
  }
  return text;
};
const fromBase64 = (text) => {
  const bytes = [];
  let bits = 0, have = 0;
  for (const letter of RealString(text).replace(/-/g, "+").replace(/_/g, "/").replace(/[=\s]/g, "")) {
    const six = letters.indexOf(letter);
    if (six < 0) throw new RealError("not base64");
    bits = ((bits << 6) | six) & 0xffff; have += 6;
    if (have >= 8) { have -= 8; bytes.push((bits >> have) & 255); }
  }
  return bytes;
};
const latinOf = (text) => Array.from(RealString(text), (letter) => letter.charCodeAt(0) & 255);
const fromLatin = (bytes) => Array.from(bytes, (byte) => RealString.fromCharCode(byte)).join("");
add("btoa", (text) => base64Of(latinOf(text)));
add("atob", (text) => fromLatin(fromBase64(text)));
const bytesOf = (source) => new Uint8Array(source.buffer ?? source, source.byteOffset ?? 0, source.byteLength);
add("TextEncoder", class TextEncoder {
  get encoding() { return "utf-8"; }
  encode(text = "") { return new Uint8Array(utf8Of(text)); }
});
add("TextDecoder", class TextDecoder {
  #latin;
  constructor(label = "utf-8") { this.#latin = /^(ascii|us-ascii|latin1|iso-8859-1|windows-1252)$/i.test(label); }
  get encoding() { return this.#latin ? "windows-1252" : "utf-8"; }
  decode(source) {
    if (source === undefined) return "";
    return this.#latin ? fromLatin(bytesOf(source)) : textOf(bytesOf(source)).replace(/^\ufeff/, "");
  }
});

const encodings = {
  hex: [
    (text) => (text.match(/[0-9a-f]{2}/gi) ?? []).map((pair) => parseInt(pair, 16)),
    (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""),
  ],
  base64: [fromBase64, base64Of],
  latin1: [latinOf, fromLatin],
  utf8: [utf8Of, textOf],
};
const encodingOf = (name = "utf8") => {
  const plain = RealString(name).toLowerCase().replace(/[-_]/g, "");
  return encodings[plain === "ascii" || plain === "binary" ? "latin1" : plain === "base64url" ? "base64" : plain] ?? encodings.utf8;
};
class Buffer extends Uint8Array {
  static from(source, encoding) {
    if (typeof source === "string") return Buffer.from(encodingOf(encoding)[0](source));
    if (source instanceof ArrayBuffer) return new Buffer(source);
    const list = source?.type === "Buffer" && isArray(source.data) ? source.data : source;
    const made = new Buffer(list.length);
    for (let i = 0; i < list.length; i += 1) made[i] = list[i];
    return made;
  }
  static alloc(size, fill = 0) { return new Buffer(size).fill(fill); }
  static allocUnsafe(size) { return new Buffer(size); }
  static isBuffer(value) { return value instanceof Buffer; }
  static byteLength(text, encoding) { return Buffer.from(text, encoding).length; }
  static concat(list) { return Buffer.from([].concat(...list.map((one) => Array.from(one)))); }
  get #view() { return new DataView(this.buffer, this.byteOffset, this.byteLength); }
  slice(from, to) { return this.subarray(from, to); }
  toString(encoding, from = 0, to = this.length) { return encodingOf(encoding)[1](this.subarray(from, to)); }
  toJSON() { return { type: "Buffer", data: Array.from(this) }; }
  equals(other) { return this.length === other.length && this.every((byte, i) => byte === other[i]); }
  copy(target, at = 0, from = 0, to = this.length) { target.set(this.subarray(from, to), at); return to - from; }
  write(text, at = 0) { const bytes = utf8Of(text); this.set(bytes, at); return bytes.length; }
  readUIntBE(at, size) { let n = 0; for (let i = 0; i < size; i += 1) n = n * 256 + this.#byte(at + i); return n; }
  readUIntLE(at, size) { let n = 0; for (let i = size - 1; i >= 0; i -= 1) n = n * 256 + this.#byte(at + i); return n; }
  readIntBE(at, size) { const n = this.readUIntBE(at, size); return n >= 2 ** (8 * size - 1) ? n - 2 ** (8 * size) : n; }
  readIntLE(at, size) { const n = this.readUIntLE(at, size); return n >= 2 ** (8 * size - 1) ? n - 2 ** (8 * size) : n; }
  #byte(at) {
    if (!(at >= 0 && at < this.length)) throw new RangeError("out of the buffer's range");
    return this[at];
  }
  static {
    const words = [["Int8", "Int8", 1], ["UInt8", "Uint8", 1], ["Int16", "Int16", 2], ["UInt16", "Uint16", 2],
      ["Int32", "Int32", 4], ["UInt32", "Uint32", 4], ["Float", "Float32", 4], ["Double", "Float64", 8],
      ["BigInt64", "BigInt64", 8], ["BigUInt64", "BigUint64", 8]];
    for (const [word, kind, size] of words) for (const end of size === 1 ? [""] : ["BE", "LE"]) {
      const little = end === "LE";
      const reader = function (at = 0) { return this.#view["get" + kind](at, little); };
      const writer = function (value, at = 0) { this.#view["set" + kind](at, value, little); return at + size; };
      for (const spelt of word.includes("UInt") ? [word, word.replace("UInt", "Uint")] : [word]) {
        defineProperty(Buffer.prototype, "read" + spelt + end, { value: reader });
        defineProperty(Buffer.prototype, "write" + spelt + end, { value: writer });
      }
    }
  }
}
add("Buffer", Buffer);
class NumberFormat {
  constructor(_locale, options = {}) { this.options = options; }
  format(number) { return RealNumber(number).toFixed(this.options.maximumFractionDigits ?? 3).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, ""); }
}
class DateTimeFormat {
  format(date = new Clock()) { return new Clock(date).toISOString(); }
  resolvedOptions() { return { locale: "en-US", timeZone: "UTC" }; }
}
add("Intl", { NumberFormat, DateTimeFormat });

`;
