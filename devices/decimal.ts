/** Digits that every double keeps of a decimal number. Source: IEEE 754, binary64. */
const digits = 15;

/** `value × 10^power` as decimal arithmetic gives it: 4.047 and 3 give 4047, where multiplying gives 4046.9999999999995. */
export function shift(value: number, power: number): number {
  const moved = power < 0 ? value / 10 ** -power : value * 10 ** power;
  // Whole numbers below 2^53, multiplied or divided by a power of ten up to 10^22, are rounded once.
  if (Number.isSafeInteger(value) || !Number.isFinite(value)) return moved;
  // Of numbers with up to 15 digits none but the right one is so near to one with six decimals.
  const rounded = Math.round(moved * 1e6) / 1e6;
  const size = Math.abs(moved);
  if (size < 1e9 && Math.abs(rounded - moved) <= size * 2 ** -51) return rounded;
  const text = String(value);
  const at = text.indexOf("e");
  if (at === -1) return Number(`${text}e${power}`);
  return Number(`${text.slice(0, at)}e${Number(text.slice(at + 1)) + power}`);
}

/** `value × factor` to the digits that a double keeps; by a power of ten exact. */
export function product(value: number, factor: number): number {
  return openScale(factor)(value);
}

/**
 * Opens the multiplication by `times / per` (`per` above 0): by powers of ten exact, else to the 15 digits that a double keeps.
 * Guarantee: never slower than a number's way to text and back.
 */
export function openScale(times: number, per = 1): (value: number) => number {
  const power = Math.round(Math.log10(Math.abs(times / per)));
  if (shift(per, power) === times && Math.abs(power) <= 22) return (value) => shift(value, power);
  return (value) => Number(((value * times) / per).toPrecision(digits));
}

/** `one + other` without what binary fractions add behind the ninth decimal. */
export function sum(one: number, other: number): number {
  if (other === 0) return one;
  const exact = one + other;
  const rounded = Math.round(exact * 1e9) / 1e9;
  return Math.abs(exact) < 4e6 && Math.abs(rounded - exact) < 1e-9 ? rounded : exact;
}
