import { z } from "zod";
import type { DeviceEntry } from "./registry.js";

/** Names of another system for a device: printable, no control or direction characters. */
export const isIdentifier = (text: string): boolean => /^[^\p{C}\p{Zl}\p{Zp}]{1,128}$/u.test(text);

const hexSchemes: ReadonlySet<string> = new Set(["devEui", "mac"]);

/** What a device is called elsewhere, by scheme: `devEui`, `mac`, `serial`, `name`, `topic` or one that a format's table names. */
export const identifiersSchema = z
  .record(
    z.string().regex(/^[a-z][A-Za-z0-9]{0,31}$/, "a scheme such as devEui, mac, serial, name, topic"),
    z.string().refine(isIdentifier, "1 to 128 printable characters"),
  )
  .refine((all) => Object.keys(all).length <= 16, "at most 16 identifiers")
  .refine(
    (all) => Object.entries(all).every(([scheme, text]) => !hexSchemes.has(scheme) || isHex(text)),
    "devEui and mac are 6 to 8 bytes in hexadecimal",
  )
  .describe("what the device is called elsewhere, by scheme (devEui, mac, serial, name, topic)");

const hexOf = (text: string): string =>
  text
    .replace(/^0x/i, "")
    .replaceAll(/[:\-. ]/g, "")
    .toLowerCase();

const isHex = (text: string): boolean => /^(?:[0-9a-f]{2}){6,8}$/.test(hexOf(text));

/** True when a text can be an identifier in a scheme. */
export function fitsScheme(scheme: string, text: string): boolean {
  return isIdentifier(text) && (!hexSchemes.has(scheme) || isHex(text));
}

/** One text for each identifier, however it is written: hexadecimal schemes in lower case without separators. */
export function identifierKey(scheme: string, text: string): string {
  return `${scheme}\n${hexSchemes.has(scheme) ? hexOf(text) : text}`;
}

/** Devices by {@link identifierKey}. */
export function indexIdentifiers(devices: Iterable<DeviceEntry>): Map<string, DeviceEntry> {
  const index = new Map<string, DeviceEntry>();
  for (const device of devices) {
    for (const [scheme, text] of Object.entries(device.identifiers ?? {}))
      index.set(identifierKey(scheme, text), device);
  }
  return index;
}
