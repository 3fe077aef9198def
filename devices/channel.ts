import { z } from "zod";
import { severities } from "./rule.js";

/** True for a Standard Webhooks secret: `whsec_` and the base64 of 24 to 64 bytes. */
export function isWebhookSecret(secret: string): boolean {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(secret)) return false;
  const { length } = Buffer.from(secret.slice("whsec_".length), "base64");
  return length >= 24 && length <= 64;
}

function isWebhookUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
}

/**
 * A way out for alerts, as `city.yaml` writes it: an HTTP address that takes signed POSTs.
 * Source: Standard Webhooks 1.0, "Signature scheme" (secret of 24 to 64 bytes, `whsec_` prefix).
 */
export const channelSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, "lower-case letters, digits and dashes, at most 64 characters")
    .describe("name of the channel"),
  kind: z.literal("webhook"),
  url: z
    .string()
    .max(2_000)
    .refine(isWebhookUrl, "an http or https address without user and password")
    .describe("where alerts are POSTed; redirects aren't followed"),
  secret: z
    .string()
    .refine(isWebhookSecret, "whsec_ and the base64 of 24 to 64 random bytes")
    .describe("Standard Webhooks signing secret, whsec_…"),
  minSeverity: z.enum(severities).optional().describe("alerts below this don't go here"),
});

/** Where alerts are sent. The MQTT channel always exists and isn't listed. */
export type Channel = z.output<typeof channelSchema>;
