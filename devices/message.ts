/** One MQTT (or HTTP) publication as it came in, before anybody understood it. */
export interface RawMessage {
  topic: string;
  payload: Uint8Array;
  /** The credential that published it; `anonymous` only in the demo on loopback. */
  user: string;
  clientId: string;
  qos: 0 | 1 | 2;
  /** When the front door received it, epoch milliseconds by the server's clock. */
  receivedMs: number;
}

/** A raw message as the journal gives it back. `sequence` starts at 1 and has no gaps. */
export interface JournalMessage extends RawMessage {
  sequence: number;
}
