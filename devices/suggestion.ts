import { quantities } from "./quantity.js";

const general = "*";

/** Classes that carry a quantity, the usual one first; none for what every device carries. */
const classesOf = (quantity: string): readonly string[] =>
  (quantities.get(quantity)?.classes ?? []).filter((name) => name !== general);

/**
 * The class that a device with these quantities most likely has: the one that carries most of them. Undefined when they don't tell,
 * such as a temperature alone.
 */
export function suggestClass(found: Iterable<string>): string | undefined {
  const telling = [...new Set(found)].map(classesOf).filter((classes) => classes.length > 0);
  const votes = new Map<string, number>();
  for (const classes of telling) for (const name of classes) votes.set(name, (votes.get(name) ?? 0) + 1);
  const most = Math.max(0, ...votes.values());
  const winners = [...votes].filter(([, count]) => count === most).map(([name]) => name);
  if (winners.length <= 1) return winners[0];
  const [narrowest = []] = telling.toSorted((one, other) => one.length - other.length);
  return narrowest.length > 2 ? undefined : narrowest.find((name) => winners.includes(name));
}

/** Letters that aren't a letter and a mark. */
const letters: Readonly<Record<string, string>> = { ł: "l", Ł: "L", ß: "ss", ø: "o", đ: "d", æ: "ae" };

/**
 * An id for a device that is called so elsewhere: the name itself where it can be one, else its letters and digits with dashes;
 * numbered where `isTaken`. Undefined when nothing of the name can stand in an id.
 */
export function suggestId(name: string, isTaken: (id: string) => boolean): string | undefined {
  const plain = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)
    ? name
    : name
        .replaceAll(/[łŁßøđæ]/g, (letter) => letters[letter] ?? "")
        .normalize("NFD")
        .replaceAll(/\p{M}/gu, "")
        .replaceAll(/[^A-Za-z0-9._]+/g, "-")
        .replaceAll(/^[^A-Za-z0-9]+|-+$/g, "")
        .slice(0, 60)
        .toLowerCase();
  if (plain === "") return undefined;
  for (let n = 1; n < 1_000; n += 1) {
    const id = n === 1 ? plain : `${plain.slice(0, 60)}-${n}`;
    if (!isTaken(id)) return id;
  }
  return undefined;
}
