import fc from "fast-check";
import { expect, test } from "vitest";
import { trendOf } from "./bench/slope.js";

const bound = { share: 0.05, least: 10 };
const sampled = (value: (n: number) => number): { seconds: number; value: number }[] =>
  Array.from({ length: 120 }, (_, n) => ({ seconds: n * 5, value: value(n) }));

test("a leak of a tenth over the second half is found under noise, a warm-up and a sawtooth aren't taken for one", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 120, maxLength: 120 }),
      (noise) => {
        const at = (n: number): number => noise[n] ?? 0;
        expect(
          trendOf(
            sampled((n) => 200 + n * 0.34 + at(n)),
            bound,
          ).isFlat,
        ).toBe(false);
        expect(
          trendOf(
            sampled((n) => 200 + Math.min(n, 50) + at(n) / 4),
            bound,
          ).isFlat,
        ).toBe(true);
        expect(
          trendOf(
            sampled((n) => 200 + (n % 7) * 6),
            bound,
          ).isFlat,
        ).toBe(true);
      },
    ),
    { seed: 1, numRuns: 100 },
  );
});

test("a figure that was never sampled isn't called flat", () => {
  expect(trendOf([], bound).isFlat).toBe(false);
});
