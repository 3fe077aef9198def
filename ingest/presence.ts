import { forgetGone } from "./gone.js";
import type { StateStore } from "./stores/state.js";

/** Whether a device is there by its own word, and since when (receipt of the first message that said so, epoch milliseconds). */
export interface Presence {
  online: boolean;
  sinceMs: number;
}

/** A sign as it came: in which message, and when. */
export interface SeenSign {
  device: string;
  online: boolean;
  /** The message's sequence in the journal. */
  message: number;
  receivedMs: number;
}

interface Kept extends Presence {
  message: number;
}

/**
 * What devices say of their own being there.
 * Guarantee: the newest message counts, so that messages taken twice change nothing; one entry a device.
 */
export class PresenceBook {
  readonly #state: StateStore;
  readonly #table;
  readonly #known = new Map<string, Kept>();
  readonly #offline = new Set<string>();
  readonly #listeners = new Set<(devices: readonly string[]) => void>();

  constructor(state: StateStore) {
    this.#state = state;
    this.#table = state.table<Kept, string>("presence");
    for (const { key, value } of this.#table.getRange()) this.#keep(key, value);
  }

  /** What a device said last, and in which message of the journal; undefined when it never did. */
  of(device: string): Readonly<Kept> | undefined {
    return this.#known.get(device);
  }

  /** Devices that said last that they are offline. */
  offline(): Iterable<string> {
    return this.#offline;
  }

  /** Calls `listener` with the devices whose presence changed, once that is on disk. Returns the way to stop it. */
  onChange(listener: (devices: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Takes signs in the order of their messages.
   * Guarantee: resolved means on disk. To be taken before the position that covers their messages is committed.
   */
  async take(signs: readonly SeenSign[]): Promise<void> {
    const changed = new Map<string, Kept>();
    for (const { device, online, message, receivedMs } of signs) {
      const known = changed.get(device) ?? this.#known.get(device);
      if (known && (known.message >= message || known.online === online)) continue;
      changed.set(device, { online, sinceMs: receivedMs, message });
    }
    if (changed.size === 0) return;
    await this.#state.transaction(() => {
      for (const [device, kept] of changed) void this.#table.put(device, kept);
    });
    for (const [device, kept] of changed) this.#keep(device, kept);
    for (const listener of this.#listeners) listener([...changed.keys()]);
  }

  /** Forgets devices that went. */
  async keepOnly(isThere: (device: string) => boolean): Promise<void> {
    const gone = await forgetGone(this.#state, this.#table, this.#known.keys(), isThere);
    for (const device of gone) {
      this.#known.delete(device);
      this.#offline.delete(device);
    }
  }

  #keep(device: string, kept: Kept): void {
    this.#known.set(device, kept);
    if (kept.online) this.#offline.delete(device);
    else this.#offline.add(device);
  }
}
