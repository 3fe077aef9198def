/** A copy of bytes that stands alone: a part of what came in at once would keep all of that, up to 64 KiB. */
export function ownBytes(bytes: Uint8Array | string): Buffer {
  const source = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  const own = Buffer.allocUnsafeSlow(source.length);
  own.set(source);
  return own;
}

/** The same bytes, copied when they are a small part of what they came in. */
export function standingAlone(bytes: Buffer | string): Buffer | string {
  if (typeof bytes === "string" || bytes.buffer.byteLength <= 2 * bytes.length + 1_024) return bytes;
  return ownBytes(bytes);
}
