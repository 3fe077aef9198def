const minute = 60_000;
const iso = (ms: number): string => new Date(ms).toISOString();

/** A school's meter that was exchanged, behind transformers, and what flowed lately. */
export const meterOf = (): object => {
  const register = { quantity: "energy_import_kwh", unit: "kWh", assumed: false, multiplier: 40 };
  return {
    parent: "wm-31",
    registers: [
      { ...register, serial: "30-1", from: "2021-04-01T08:00:00Z", to: "2026-03-12T09:20:00Z" },
      { ...register, serial: "30-7781", from: "2026-03-12T09:20:00Z", to: null },
    ],
  };
};

/** What flowed in its last quarters of an hour, of every quality; the newest took ten seconds. */
export const intervalsOf = (query: URLSearchParams): object => {
  const rows = [
    [1.25, "measured", "normal", 0],
    [4.875, "estimated", "gap", 0],
    [2, "corrected", "correction", 0],
    [0, "suspect", "jump", 95.5],
    [3.1, "measured", "rollover", 0],
  ] as const;
  const endMs = Math.floor(Date.now() / (15 * minute)) * 15 * minute;
  const at = (index: number): string => iso(endMs - (rows.length - index) * 15 * minute);
  const items = rows.map(([amount, mark, why, apart], index) => {
    const to = index === rows.length - 1 ? iso(Date.parse(at(index)) + 10_000) : at(index + 1);
    return { from: at(index), to, amount, unit: "kWh", mark, why, apart };
  });
  return { items: query.get("quantity") === "energy_import_kwh" ? items : [], next: null };
};
