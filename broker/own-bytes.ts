/** A copy of bytes that stands alone: a part of what came in at once would keep all of that, up to 64 KiB. */
export function ownBytes(bytes: Uint8Array | string): Buffer {
  const source = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  const own = Buffer.allocUnsafeSlow(source.length);
  own.set(source);
  return own;
}
