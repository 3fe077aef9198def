import type { Span } from "./life.js";
import { canShow, type Reading, stepBetween } from "./reading.js";

/** Readings of a plain run that are believed wherever the register was thought to stand: a jump or a fall needs three that agree. */
const convincing = 3;
/**
 * Steps of the last digit that a run must rise by, twice. A reading up to six steps above a run's first may be what was believed, of
 * which readings that fell by two steps each have taken nothing back; only what is more than two above it does: more than eight, and
 * what binary fractions may hide.
 */
const rising = 5;

/** A plain run under way. */
interface Run {
  first: Reading;
  last: Reading;
  length: number;
  /** Value at which the register is believed to stand. */
  believed?: number;
}

/** What was found of one register. */
interface Found {
  span: Span;
  foundMs: number | undefined;
  run: Run | undefined;
  latestMs: number;
}

/**
 * Looks for the earliest time from which a run over these readings alone stands as a run over all readings of the meter would,
 * whatever came before `fromMs`.
 * Shape: all readings there are of the half-open range, in order, in as many turns as one likes; `spans` those of the meter's life.
 * Guarantee: bounded, however many they are.
 *
 * A register's first reading is such a point. So is the end of a plain run: after three readings that follow one another the
 * register is believed to stand there, or within a few steps of it, at the latest; and once it has risen clear of those, what was
 * believed before can't be taken back any more.
 */
export class AnchorSearch {
  readonly #fromMs: number;
  readonly #found: Found[];
  #place = 0;

  constructor(spans: readonly Span[], { fromMs, toMs }: { fromMs: number; toMs: number }) {
    this.#fromMs = fromMs;
    this.#found = spans
      .filter((span) => span.fromMs < toMs)
      .map((span) => {
        const foundMs = span.fromMs >= fromMs ? span.start?.timeMs : undefined;
        return { span, foundMs, run: undefined, latestMs: Number.NEGATIVE_INFINITY };
      });
  }

  /** Undefined when the readings so far don't show one. */
  get foundMs(): number | undefined {
    return this.#found.find(({ foundMs }) => foundMs !== undefined)?.foundMs;
  }

  take(readings: readonly Reading[]): void {
    for (const reading of readings) {
      while ((this.#found[this.#place]?.span.toMs ?? Number.POSITIVE_INFINITY) <= reading.timeMs)
        this.#place += 1;
      const found = this.#found[this.#place];
      if (!found || reading.timeMs < found.span.fromMs || found.foundMs !== undefined) continue;
      if (reading.timeMs === found.latestMs) continue;
      if (canShow(found.span.register, reading.value) && this.#isAnchor(found, reading))
        found.foundMs = reading.timeMs;
      found.latestMs = reading.timeMs;
    }
  }

  /** True for a register's first reading, and for the one that ends a plain run. */
  #isAnchor(found: Found, reading: Reading): boolean {
    const { span, run } = found;
    if (span.fromMs >= this.#fromMs) return true;
    const isPlain =
      run !== undefined &&
      run.last.epoch === reading.epoch &&
      stepBetween(span.register, run.last, reading)?.kind === "normal";
    if (!isPlain) {
      found.run = { first: reading, last: reading, length: 1 };
      return false;
    }
    const enough = rising * span.register.resolution;
    run.last = reading;
    run.length += 1;
    if (run.believed !== undefined) return reading.value - run.believed > enough;
    if (run.length >= convincing && reading.value - run.first.value > enough) run.believed = reading.value;
    return false;
  }
}
