/** Secrets of the test city's users, by name, as the environment gives them. */
export const secrets = {
  BIN_SECRET: "the secret of bin-1",
  METER_SECRET: "the secret of em-1",
  GATEWAY_SECRET: "the secret of gw-1",
  TOOLS_SECRET: "the secret of tools",
  HOOK_SECRET: `whsec_${Buffer.from("a webhook secret of 32 bytes ok!").toString("base64")}`,
};

/** What may stand in the test city beside the usual. */
export interface TestCity {
  /** Further lines under `devices:`, `credentials:`, `rules:` and `channels:`, each an item in flow style. */
  devices?: string[];
  credentials?: string[];
  rules?: string[];
  hookUrl?: string;
  /** Webhooks beside `crews`: addresses by name; the secret is the same. */
  hooks?: Record<string, string>;
}

const items = (list: readonly string[]): string => list.map((item) => `\n  - ${item}`).join("");

/** A small city with a bin, an electricity meter, a gateway and an application; secrets from {@link secrets}. */
export function testCity({
  devices = [],
  credentials = [],
  rules = [],
  hookUrl,
  hooks = {},
}: TestCity = {}): string {
  const channels = Object.entries({ ...(hookUrl === undefined ? {} : { crews: hookUrl }), ...hooks }).map(
    ([id, url]) => `{ id: ${id}, kind: webhook, url: "${url}", secret: "\${HOOK_SECRET}" }`,
  );
  return `city: { name: Kraków, timeZone: Europe/Warsaw, language: pl }
places:
  - { id: krakow, kind: city, name: Kraków }
  - { id: krakow/podgorze, kind: district, name: "XIII Podgórze", at: [50.0437, 19.9494] }
  - { id: krakow/podgorze/szkola-25, kind: building, name: "Szkoła 25" }
devices:
  - { id: bin-1, class: bin, place: krakow/podgorze, fraction: bio, every: 15m, capacityLitres: 1100 }
  - { id: em-1, class: electricity-meter, place: krakow/podgorze/szkola-25, every: 1h }${items(devices)}
credentials:
  - { user: bin-1, secret: "\${BIN_SECRET}" }
  - { user: em-1, secret: "\${METER_SECRET}" }
  - { user: gw-1, secret: "\${GATEWAY_SECRET}", publishesFor: ["bin-*", "em-*"] }
  - { user: tools, secret: "\${TOOLS_SECRET}", subscribe: ["alerts/#", "rejections/#"] }${items(credentials)}
rules:${rules.length === 0 ? " []" : items(rules)}
channels:${channels.length === 0 ? " []" : items(channels)}
`;
}
