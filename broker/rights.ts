import { covers, isFilter, isTopic } from "../devices/index.js";

/** One credential as the city file and the registry keep it; plain data, can cross a thread. */
export interface CredentialSnapshot {
  user: string;
  kind: "device" | "gateway" | "application";
  /** The hash of the secret, in the form that `verify` of the broker's options understands. */
  hash: string;
  /** A gateway's devices: ids, or globs over ids in which `*` stands for any run of characters. */
  publishesFor: readonly string[];
  /** Topic filters that a gateway or an application may publish to; a device has none. */
  publish: readonly string[];
  /** Topic filters that a gateway or an application may subscribe to, whole or a part of; a device has none. */
  subscribe: readonly string[];
}

/** A credential with its rights worked out. */
export interface Credential {
  readonly user: string;
  readonly kind: CredentialSnapshot["kind"];
  readonly hash: string;
  /** True when the user may publish to the topic. */
  mayPublish(topic: string): boolean;
  /** True when the user may see everything that the topic filter matches. */
  maySubscribe(filter: string): boolean;
}

const readings = "readings/";
const rejections = "rejections/";

/** True for topics that only the service itself publishes: alerts, rejections, newest values, presence, its discovery, and everything that begins with `$`. */
export function isReserved(topic: string): boolean {
  return (
    topic.startsWith("$") ||
    /^(?:alerts|rejections|latest|presence|homeassistant\/device\/obieg)(?:\/|$)/.test(topic)
  );
}

/**
 * Works the rights of one credential out.
 * A device publishes `readings/{user}` and subscribes `rejections/{user}`, nothing else, whatever its lists say.
 * A gateway has the same for each device that it lists, and its filters; an application has its filters.
 * Nobody publishes where {@link isReserved}, nobody subscribes to a topic that begins with `$`.
 */
export function toCredential(snapshot: CredentialSnapshot): Credential {
  const { user, kind, hash } = snapshot;
  const standsFor =
    kind === "device" ? (id: string): boolean => id === user : idMatcher(snapshot.publishesFor);
  const publish = kind === "device" ? [] : snapshot.publish.filter(isFilter);
  const subscribe = kind === "device" ? [] : snapshot.subscribe.filter(isFilter);
  return {
    user,
    kind,
    hash,
    mayPublish: (topic) =>
      isTopic(topic) &&
      !isReserved(topic) &&
      ((topic.startsWith(readings) && standsFor(topic.slice(readings.length))) ||
        publish.some((filter) => covers(filter, topic))),
    maySubscribe: (filter) =>
      isFilter(filter) &&
      !filter.startsWith("$") &&
      ((isTopic(filter) && filter.startsWith(rejections) && standsFor(filter.slice(rejections.length))) ||
        subscribe.some((granted) => covers(granted, filter))),
  };
}

/** The rights of a client without a name in the demo: every device's readings, and to watch what the demo shows. */
export function anonymousCredential(): Credential {
  return toCredential({
    user: "anonymous",
    kind: "gateway",
    hash: "",
    publishesFor: ["*"],
    publish: [],
    subscribe: ["readings/#", "alerts/#", "rejections/#", "latest/#", "presence/#", "homeassistant/#"],
  });
}

function idMatcher(list: readonly string[]): (id: string) => boolean {
  const exact = new Set(list.filter((entry) => !entry.includes("*")));
  const globs = list.filter((entry) => entry.includes("*")).map((entry) => entry.split("*"));
  return (id) =>
    id.length > 0 && !id.includes("/") && (exact.has(id) || globs.some((parts) => fitsGlob(parts, id)));
}

/** Leftmost fit of each part in turn: linear, so that no list of globs can make a check slow. */
function fitsGlob(parts: readonly string[], id: string): boolean {
  const first = parts[0] ?? "";
  const last = parts.at(-1) ?? "";
  if (id.length < first.length + last.length || !id.startsWith(first) || !id.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = id.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= id.length - last.length;
}
