import { stringify } from "yaml";
import type { Channel } from "./channel.js";
import { deviceClasses } from "./quantity.js";
import type { CredentialEntry, RegistryView } from "./registry.js";
import type { Rule } from "./rule.js";

/** What a city file holds beside places, devices and sources. */
export interface CityContents extends RegistryView {
  credentials(): CredentialEntry[];
  rules(): Rule[];
  channels(): Channel[];
}

/** A registry as a `city.yaml`; secrets are left as names of files and of the environment. */
export function cityText(
  registry: CityContents,
  retentionDays: (deviceClass: string) => number | undefined,
): string {
  const { name, timeZone, language } = registry.city;
  const devices = registry
    .devices()
    .map(({ everyMs, sinceMs: _since, commissioned, decommissioned, ...rest }) => ({
      ...rest,
      ...(everyMs === undefined ? {} : { every: everyMs }),
      ...(commissioned === undefined ? {} : { commissioned: new Date(commissioned).toISOString() }),
      ...(decommissioned === undefined ? {} : { decommissioned: new Date(decommissioned).toISOString() }),
    }));
  const credentials = registry.credentials().map(({ user, publishesFor, publish, subscribe }) => ({
    user,
    secretFile: `secrets/${user}`,
    ...(publishesFor.length > 0 ? { publishesFor } : {}),
    ...(publish.length > 0 ? { publish } : {}),
    ...(subscribe.length > 0 ? { subscribe } : {}),
  }));
  const channels = registry.channels().map((channel) => ({
    ...channel,
    secret: `\${WEBHOOK_${channel.id.toUpperCase().replaceAll("-", "_")}}`,
  }));
  const retention = Object.fromEntries(
    deviceClasses.flatMap((deviceClass) => {
      const days = retentionDays(deviceClass);
      return days === undefined ? [] : [[deviceClass, days]];
    }),
  );
  return stringify({
    city: { name, timeZone, language },
    places: registry.places(),
    devices,
    credentials,
    sources: registry.sources(),
    rules: registry.rules(),
    channels,
    retention,
  });
}
