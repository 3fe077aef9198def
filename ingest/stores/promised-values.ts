import type { HistoryCore } from "./core.js";

/** When a device reports, and how often. */
interface Service {
  everyMs: number;
  sinceMs: number;
  untilMs: number;
  /** Counted among those that report all through a step. */
  isWhole: boolean;
  isOver: boolean;
}

/**
 * How many values devices promise a step, up to now; to be asked step after step in the order of time.
 * Devices in service all through a step are counted by interval; one by one are looked at only those whose service begins or
 * ends within it: all steps together look at a device a few times, however many they are.
 */
export class PromisedValues {
  readonly #nowMs: number;
  readonly #begins: readonly Service[];
  readonly #ends: readonly Service[];
  /** How many have begun and how many are over, in these orders. */
  #begun = 0;
  #over = 0;
  /** Devices in service all through the step, by interval. */
  readonly #whole = new Map<number, number>();
  readonly #isUnknown: boolean;

  constructor({ options }: HistoryCore, devices: readonly string[]) {
    this.#nowMs = options.clock();
    const services = devices.map((device) => ({
      everyMs: options.everyMsOf(device) ?? 0,
      sinceMs: options.sinceMsOf(device) ?? Number.NEGATIVE_INFINITY,
      untilMs: options.untilMsOf(device) ?? Number.POSITIVE_INFINITY,
      isWhole: false,
      isOver: false,
    }));
    this.#isUnknown = services.some(({ everyMs }) => everyMs <= 0);
    this.#begins = services.toSorted((a, b) => compare(a.sinceMs, b.sinceMs));
    this.#ends = services.toSorted((a, b) => compare(a.untilMs, b.untilMs));
  }

  /** What is promised from `fromMs`, where a step before ended or later, to `toMs`; undefined when a device has no interval. */
  in(fromMs: number, toMs: number): number | undefined {
    if (this.#isUnknown) return undefined;
    const endMs = Math.min(toMs, this.#nowMs);
    for (let one = this.#begins[this.#begun]; one && one.sinceMs <= fromMs;) {
      if (!one.isOver) this.#count(one, true);
      one = this.#begins[(this.#begun += 1)];
    }
    let promised = 0;
    for (let one = this.#ends[this.#over]; one && one.untilMs < endMs;) {
      if (one.isWhole) this.#count(one, false);
      one.isOver = true;
      if (one.sinceMs <= fromMs) promised += partOf(one, fromMs, endMs);
      one = this.#ends[(this.#over += 1)];
    }
    let at = this.#begun;
    for (let one = this.#begins[at]; one && one.sinceMs < endMs; one = this.#begins[(at += 1)])
      promised += partOf(one, fromMs, endMs);
    for (const [everyMs, devices] of this.#whole)
      promised += devices * Math.max(0, Math.floor((endMs - fromMs) / everyMs));
    return promised;
  }

  #count(service: Service, isWhole: boolean): void {
    service.isWhole = isWhole;
    const { everyMs } = service;
    const devices = (this.#whole.get(everyMs) ?? 0) + (isWhole ? 1 : -1);
    if (devices === 0) this.#whole.delete(everyMs);
    else this.#whole.set(everyMs, devices);
  }
}

/** What a device promises of a step by itself. */
function partOf({ everyMs, sinceMs, untilMs }: Service, fromMs: number, endMs: number): number {
  return Math.max(0, Math.floor((Math.min(endMs, untilMs) - Math.max(fromMs, sinceMs)) / everyMs));
}

function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
