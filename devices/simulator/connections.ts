import { randomBytes } from "node:crypto";
import { ObiegError } from "../error.js";
import type { DeviceEntry } from "../registry.js";
import type { Encoder } from "./encoders/encoder.js";
import { type Link, type Login, type Manners, openLink } from "./link.js";

/** How a fleet comes in. */
export interface Entrance {
  url: string;
  devices: readonly DeviceEntry[];
  /** What each of them speaks with. */
  encoders: readonly Encoder[];
  loginFor: ((device: DeviceEntry) => Login | undefined) | undefined;
  connections: number;
  inFlight: number;
  patienceMs: number;
  reconnectMs: number;
}

/** Whom a connection speaks for: positions in the fleet. */
export interface Group {
  login: Login | undefined;
  members: number[];
}

/** One connection a user; anonymous devices one each, as far as connections go. Throws `simulator-connections`. */
export function groupByConnection({ devices, loginFor, connections }: Entrance): Group[] {
  const users = new Map<string, Group>();
  const anonymous: number[] = [];
  devices.forEach((device, position) => {
    const login = loginFor?.(device);
    if (!login) return void anonymous.push(position);
    const group = users.get(login.username);
    if (group) group.members.push(position);
    else users.set(login.username, { login, members: [position] });
  });
  const free = Math.min(anonymous.length, connections - users.size);
  if (users.size > connections || (anonymous.length > 0 && free < 1))
    throw new ObiegError(
      "simulator-connections",
      `${users.size} users need a connection each, and anonymous devices one more; ${connections} are allowed`,
    );
  const shared = Array.from({ length: free }, (_, n) => ({
    login: undefined,
    members: anonymous.filter((_position, place) => place % free === n),
  }));
  return [...users.values(), ...shared];
}

/** A connection says what each of its devices says; it has one will, the first. */
function mannersOf(encoders: readonly Encoder[]): Manners {
  return {
    greet: () => encoders.flatMap((encoder) => encoder.greet?.(Date.now()) ?? []),
    will: () => encoders.find(({ will }) => will !== undefined)?.will?.(Date.now()),
    hears: encoders.flatMap(({ hears }) => hears ?? []),
    answer: (topic, payload) =>
      encoders.flatMap((encoder) => encoder.answer?.(topic, payload, Date.now()) ?? []),
  };
}

/** Opens all connections, at most 64 at a time; closes them again when one fails. Throws what {@link openLink} throws. */
export async function openAll(
  options: Entrance,
  groups: readonly Group[],
  onRoom: () => void,
): Promise<Link[]> {
  const links: Link[] = [];
  const run = randomBytes(4).toString("hex");
  const open = ({ login, members }: Group, n: number): Promise<Link> =>
    openLink({
      url: options.url,
      clientId: `sim-${run}-${n}`,
      login,
      manners: mannersOf(members.flatMap((position) => options.encoders[position] ?? [])),
      inFlight: options.inFlight,
      connectMs: options.patienceMs,
      reconnectMs: options.reconnectMs,
      onRoom,
    });
  for (let first = 0; first < groups.length; first += 64) {
    const opened = await Promise.allSettled(
      groups.slice(first, first + 64).map((group, n) => open(group, first + n)),
    );
    links.push(...opened.flatMap((one) => (one.status === "fulfilled" ? one.value : [])));
    const failed = opened.find((one) => one.status === "rejected");
    if (!failed) continue;
    await Promise.all(links.map((link) => link.close()));
    throw failed.reason;
  }
  return links;
}
