/** One register of one installed meter, as its name plate and installation record give it. */
export interface Register {
  serial: string;
  /** Unit of the amounts. */
  unit: string;
  /** Amount of one unit of the register: pulse weight, ratio of the current transformers; 1 for a register that shows the amount itself. */
  multiplier: number;
  /** Smallest step, in units of the register. */
  resolution: number;
  /** The value at which it begins at zero again, in units of the register ({@link modulusOf}); undefined where nobody knows. */
  modulus?: number;
  /** Most that can flow in an hour, as an amount: connection power, Q4 of a water meter, Qmax of a gas meter. */
  maxRate: number;
  /** Most that can flow back between two readings, as an amount; undefined where a fall is never a flow (energy). */
  backflow?: number;
}

/**
 * How far a register counts: drums, displays and BCD by their digits, binary counters by their bits.
 * `resolution` is one step of the last digit or bit, in units of the register.
 * Source: OIML R 49 and EN 13757-3 (widths); a 32-bit register of watt-hours read in kWh: 2^32 × 0.001 = 4,294,967.296.
 */
export function modulusOf(
  width: { digits: number; resolution: number } | { bits: number; resolution: number },
): number {
  return ("bits" in width ? 2 ** width.bits : 10 ** width.digits) * width.resolution;
}
