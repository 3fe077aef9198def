import sparkplugPayload from "sparkplug-payload";

type Codec = ReturnType<typeof sparkplugPayload.get>;

/** A payload as the Tahu project's own encoder takes it: metrics with `name`, `alias`, `type`, `value`, `timestamp`, `properties`. */
export type SparkplugPayload = Parameters<NonNullable<Codec>["encodePayload"]>[0];

/** What an edge node would publish: bytes by the Tahu project's encoder, not by ours. */
export function sparkplugBytes(payload: SparkplugPayload): Uint8Array {
  return theirs().encodePayload(payload);
}

/** What the Tahu project's decoder reads in bytes. */
export function readSparkplug(bytes: Uint8Array): SparkplugPayload {
  return theirs().decodePayload(bytes);
}

function theirs(): NonNullable<Codec> {
  const codec = sparkplugPayload.get("spBv1.0");
  if (!codec) throw new Error("sparkplug-payload knows no spBv1.0");
  return codec;
}
