import type { Device, Payload, Replayed } from "./api.ts";
import { call, type List, type Page } from "./call.ts";

/** A device that sends and isn't registered; `scheme` null: its id has to be `identifier`. */
export interface Stranger {
  identifier: string;
  scheme: string | null;
  text: string | null;
  format: string | null;
  user: string;
  topic: string;
  firstSeenAt: string;
  lastSeenAt: string;
  messages: number;
  payload: Payload;
  suggestion: { id: string | null; class: string | null; quantities: string[]; unmapped: string[] };
}

/** Unknown devices, those heard last. */
export const readStrangers = async (): Promise<List<Stranger>> => {
  const { items, next } = await call<Page<Stranger>>("GET", "/unknown-devices", { limit: 100 });
  return { items, more: next !== null && next !== undefined };
};

/** What came of an adoption. */
export interface Adopted extends Replayed {
  device: Device;
}

/** Registers an unknown device and replays what it sent before. */
export const adoptStranger = (ask: {
  identifier: string;
  id: string;
  class: string;
  place: string;
  name?: string;
}): Promise<Adopted> => call("POST", "/unknown-devices/adopt", {}, ask);
