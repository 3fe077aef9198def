// Control characters of what devices sent must not reach the terminal.
const printable = (text: string): string => text.replaceAll(/[^\P{C}\n]/gu, "·");

/** Prints a line, or lines; what would steer a terminal becomes a dot. */
export function say(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}

/** Prints JSON for programs. */
export function sayJson(value: unknown): void {
  say(JSON.stringify(value, null, 2));
}

/** Prints rows under their headings, columns aligned. */
export function sayTable(headings: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const cells = [headings, ...rows].map((row) =>
    row.map((cell) => printable(String(cell)).replaceAll("\n", "·")),
  );
  const widths = headings.map((_, n) => Math.max(...cells.map((row) => (row[n] ?? "").length)));
  for (const row of cells)
    say(
      row
        .map((cell, n) => cell.padEnd(widths[n] ?? 0))
        .join("  ")
        .trimEnd(),
    );
}

/** Bytes as they are read: `12.3 MB`. */
export function bytesText(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
