import { isUtf8 } from "node:buffer";

/** Why MQTT 3.1.1 forbids it. */
export class Fault extends Error {}

/** Why a service closes the connection, though MQTT doesn't ask for it. */
export class Refusal extends Fault {}

/** Reads the fields of one packet, and not a byte beyond it. */
export class Fields {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  get isOver(): boolean {
    return this.#at === this.#bytes.length;
  }
  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new Fault("a field reaches beyond its packet");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
  byte(): number {
    return this.take(1)[0] ?? 0;
  }
  number(): number {
    return this.take(2).readUInt16BE(0);
  }
  id(): number {
    const id = this.number();
    if (id === 0) throw new Fault("packet id 0");
    return id;
  }
  binary(): Buffer {
    return this.take(this.number());
  }
  text(): string {
    const bytes = this.binary();
    if (!isUtf8(bytes)) throw new Fault("text that isn't UTF-8");
    if (bytes.includes(0)) throw new Fault("text with U+0000");
    return bytes.toString("utf8");
  }
  rest(): Buffer {
    return this.take(this.#bytes.length - this.#at);
  }
  end(): void {
    if (!this.isOver) throw new Fault("bytes after the last field");
  }
}

/** True when a text is a topic filter (MQTT 3.1.1, 4.7). */
export const isFilter = (filter: string): boolean =>
  filter !== "" &&
  filter.split("/").every((level, at, all) => {
    if (level === "#") return at === all.length - 1;
    return level === "+" || !/[+#]/.test(level);
  });

/** True when a topic is matched by a filter (MQTT 3.1.1, 4.7). */
export function matches(filter: string, topic: string): boolean {
  const wanted = filter.split("/");
  const levels = topic.split("/");
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  for (const [at, level] of wanted.entries()) {
    if (level === "#") return true;
    if (levels[at] === undefined || (level !== "+" && level !== levels[at])) return false;
  }
  return wanted.length === levels.length;
}
