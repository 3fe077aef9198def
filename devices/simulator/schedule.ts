import type { DeviceEntry } from "../registry.js";
import { defaultEveryMs, nextReportMs } from "./model.js";

/** Whose turn it is, and the time that its reading bears. */
export interface Turn {
  /** Position of the device in the fleet. */
  member: number;
  timeMs: number;
  /** What the device's reading before bore; the fleet's start for its first. */
  previousMs: number;
}

/** Decides which device speaks when. */
export interface Schedule {
  /** The next turn that is due at `nowMs` of a device whose connection has room; undefined when there is none. */
  next(nowMs: number, hasRoom: (member: number) => boolean): Turn | undefined;
  /** When the next turn falls due, epoch milliseconds; in the past while one waits for room. */
  readonly dueMs: number;
}

/** What a schedule is made from. */
export interface Pace {
  devices: readonly DeviceEntry[];
  startMs: number;
  /** First moment of the simulated clock; undefined: readings bear the time at which they are sent. */
  fromMs: number | undefined;
}

/** Gives each device the time of its next reading, always after its last. */
function createClock(pace: Pace): (member: number, nowMs: number) => Turn {
  const last = pace.devices.map(() => pace.fromMs ?? pace.startMs);
  const begun = pace.devices.map(() => false);
  return (member, nowMs) => {
    const device = pace.devices[member];
    const previousMs = last[member] ?? 0;
    const after = begun[member] ? previousMs + 1 : previousMs;
    const timeMs =
      pace.fromMs === undefined || !device ? Math.max(nowMs, after) : nextReportMs(device, after);
    last[member] = timeMs;
    begun[member] = true;
    return { member, timeMs, previousMs };
  };
}

/** Devices in turn, so many readings a second altogether (Infinity: as fast as they are acknowledged). */
export function createRateSchedule(pace: Pace, perSecond: number): Schedule {
  const take = createClock(pace);
  let issued = 0;
  let cursor = 0;
  return {
    get dueMs() {
      return perSecond === Infinity ? pace.startMs : pace.startMs + ((issued + 1) * 1_000) / perSecond;
    },
    next(nowMs, hasRoom) {
      if (this.dueMs > nowMs) return undefined;
      for (let tried = 0; tried < pace.devices.length; tried++) {
        const member = cursor;
        cursor = (cursor + 1) % pace.devices.length;
        if (!hasRoom(member)) continue;
        issued += 1;
        return take(member, nowMs);
      }
      return undefined;
    },
  };
}

const arrivalMs = 5_000;

/**
 * Every device at its own interval, `speed` times as often. Without a simulated clock a device speaks within 5 s of the start, then regularly;
 * with one it speaks at its regular times of that clock, which runs `speed` times as fast.
 */
export function createIntervalSchedule(pace: Pace, speed: number): Schedule {
  const take = createClock(pace);
  const { fromMs, startMs } = pace;
  const everyMs = (device: DeviceEntry): number => (device.everyMs ?? defaultEveryMs) / speed;
  const firstMs = (device: DeviceEntry, member: number): number =>
    fromMs === undefined
      ? startMs + (Math.min(arrivalMs, everyMs(device)) * member) / pace.devices.length
      : startMs + (nextReportMs(device, fromMs) - fromMs) / speed;
  const followingMs = (device: DeviceEntry, dueMs: number): number =>
    fromMs === undefined && speed === 1 ? nextReportMs(device, dueMs + 1) : dueMs + everyMs(device);
  const queue = createQueue();
  pace.devices.forEach((device, member) => queue.push(firstMs(device, member), member));
  let blocked: { dueMs: number; member: number }[] = [];
  const issue = (entry: { dueMs: number; member: number }, nowMs: number): Turn => {
    const device = pace.devices[entry.member];
    if (device) queue.push(followingMs(device, entry.dueMs), entry.member);
    return take(entry.member, nowMs);
  };
  return {
    get dueMs() {
      return blocked.length > 0 ? startMs : queue.dueMs;
    },
    next(nowMs, hasRoom) {
      const free = blocked.find(({ member }) => hasRoom(member));
      if (free) {
        blocked = blocked.filter((entry) => entry !== free);
        return issue(free, nowMs);
      }
      while (queue.dueMs <= nowMs) {
        const entry = queue.pop();
        if (!entry) return undefined;
        if (hasRoom(entry.member)) return issue(entry, nowMs);
        blocked.push(entry);
      }
      return undefined;
    },
  };
}

interface Queue {
  readonly dueMs: number;
  push(dueMs: number, member: number): void;
  pop(): { dueMs: number; member: number } | undefined;
}

/** A binary heap by due time. */
function createQueue(): Queue {
  const heap: { dueMs: number; member: number }[] = [];
  const due = (n: number): number => heap[n]?.dueMs ?? Infinity;
  const swap = (a: number, b: number): void => {
    const [one, other] = [heap[a], heap[b]];
    if (one && other) [heap[a], heap[b]] = [other, one];
  };
  return {
    get dueMs() {
      return due(0);
    },
    push(dueMs, member) {
      let at = heap.push({ dueMs, member }) - 1;
      while (at > 0 && due(at) < due((at - 1) >> 1)) {
        swap(at, (at - 1) >> 1);
        at = (at - 1) >> 1;
      }
    },
    pop() {
      swap(0, heap.length - 1);
      const first = heap.pop();
      for (let at = 0; ;) {
        const child = due(2 * at + 2) < due(2 * at + 1) ? 2 * at + 2 : 2 * at + 1;
        if (due(child) >= due(at)) return first;
        swap(at, child);
        at = child;
      }
    },
  };
}
