const payload = (text: string): object => ({
  base64: Buffer.from(text).toString("base64"),
  text,
  bytes: text.length,
  truncated: false,
});

const stranger = (identifier: string, change: object): object => ({
  identifier,
  scheme: "name",
  text: null,
  format: "zigbee2mqtt",
  user: "gw-podgorze",
  topic: `zigbee2mqtt/${identifier}`,
  firstSeenAt: "2026-11-20T17:41:00.000Z",
  lastSeenAt: "2026-11-23T04:52:00.000Z",
  messages: 214,
  payload: payload('{"temperature": 19.5, "humidity": 41}'),
  suggestion: {
    id: "sala-gimnastyczna",
    class: "air-sensor",
    quantities: ["temperature_celsius", "humidity_percent"],
    unmapped: [],
  },
  ...change,
});

/** Unknown devices of the made-up city: a sensor, a native bin, and names that would break a page. */
export const strangersOf = (): object => ({
  items: [
    stranger("Sala gimnastyczna", {}),
    stranger("bin-0901", {
      scheme: null,
      format: "native-json",
      topic: "readings/bin-0901",
      messages: 1,
      payload: payload('{"fill_percent": 40, "note": "\u202e\u0007<b>x</b>"}'),
      suggestion: { id: "bin-0901", class: "bin", quantities: ["fill_percent"], unmapped: [] },
    }),
    stranger("<img src=x onerror=alert(1)>\u05d0\u05d1", {
      messages: 3,
      payload: payload("\u202egarbage\u0000"),
      suggestion: { id: "img-src-x", class: null, quantities: [], unmapped: ["\u202eX7.Dose"] },
    }),
  ],
  next: null,
});
