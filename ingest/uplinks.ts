import type { UplinkCount } from "../devices/index.js";
import { forgetGone } from "./gone.js";
import type { StateStore } from "./stores/state.js";

/** A frame's counter as it came, and in which message of the journal. */
export interface SeenUplink extends UplinkCount {
  device: string;
  message: number;
}

/** How a device's uplinks fare since it was first heard. */
export interface UplinkFigures {
  heard: number;
  /** Counts that are missing between those heard: lost on the air, or frames of the network alone. */
  lost: number;
  /** How often its counter began anew: a join, a restart. */
  resets: number;
  /** The newest count. */
  count: number;
}

interface Kept extends UplinkFigures {
  session: string;
  timeMs: number;
  /** Which of the 32 counts before the newest were heard; bit 0 is the one before. */
  before: number;
  message: number;
}

const memory = 32;
/** A counter that leaps further isn't the same counter. Source: LoRaWAN 1.0.x, MAX_FCNT_GAP. */
const maxGap = 16_384;

/** What a frame makes of a device's figures. */
function after(kept: Kept | undefined, { count, session, timeMs, message }: SeenUplink): Kept {
  if (!kept) return { heard: 1, lost: 0, resets: 0, count, session, timeMs, before: 0, message };
  const step = count - kept.count;
  const isSame = session === kept.session;
  if (isSame && step > 0 && step <= maxGap) {
    const before = step >= memory ? 0 : ((kept.before << step) | (1 << (step - 1))) >>> 0;
    return { ...kept, heard: kept.heard + 1, lost: kept.lost + step - 1, count, timeMs, before, message };
  }
  const isAnew = isSame ? step !== 0 && timeMs > kept.timeMs : timeMs >= kept.timeMs;
  if (isAnew)
    return {
      ...kept,
      heard: kept.heard + 1,
      resets: kept.resets + 1,
      count,
      session,
      timeMs,
      before: 0,
      message,
    };
  // Delivered again, or late: what was taken for lost was only behind.
  const bit = 1 << (-step - 1);
  if (!isSame || step >= 0 || -step > memory || (kept.before & bit) !== 0 || kept.lost === 0)
    return { ...kept, message };
  return {
    ...kept,
    heard: kept.heard + 1,
    lost: kept.lost - 1,
    before: (kept.before | bit) >>> 0,
    message,
  };
}

/**
 * Counts devices' lost uplinks by the gaps of their frame counters.
 * Guarantee: on disk; a message taken twice, and a frame delivered twice, count once.
 */
export class UplinkBook {
  readonly #state: StateStore;
  readonly #table;
  readonly #known = new Map<string, Kept>();

  constructor(state: StateStore) {
    this.#state = state;
    this.#table = state.table<Kept, string>("uplinks");
    for (const { key, value } of this.#table.getRange()) this.#known.set(key, value);
  }

  /** A device's figures; undefined when it never sent a frame with a counter. */
  of(device: string): UplinkFigures | undefined {
    return this.#known.get(device);
  }

  /** Every device with a counter. */
  all(): Iterable<[device: string, figures: UplinkFigures]> {
    return this.#known;
  }

  /** Takes counters in the order of their messages, before the position that covers those is committed. */
  async take(seen: readonly SeenUplink[]): Promise<void> {
    const changed = new Map<string, Kept>();
    for (const uplink of seen) {
      const kept = changed.get(uplink.device) ?? this.#known.get(uplink.device);
      if (kept && kept.message >= uplink.message) continue;
      changed.set(uplink.device, after(kept, uplink));
    }
    if (changed.size === 0) return;
    await this.#state.transaction(() => {
      for (const [device, kept] of changed) void this.#table.put(device, kept);
    });
    for (const [device, kept] of changed) this.#known.set(device, kept);
  }

  /** Forgets devices that went. */
  async keepOnly(isThere: (device: string) => boolean): Promise<void> {
    const gone = await forgetGone(this.#state, this.#table, this.#known.keys(), isThere);
    for (const device of gone) this.#known.delete(device);
  }
}
