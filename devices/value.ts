/** One validated measurement: a number of the vocabulary, in its canonical unit, of a known device. */
export interface Value {
  device: string;
  quantity: string;
  /** Canonical JSON of the attributes (sorted keys), or "" for none. Part of the identity. */
  attributes: string;
  /** Event time, epoch milliseconds. */
  timeMs: number;
  value: number;
  /** Where in the payload it stood, as a JSON pointer. */
  path: string;
}
