import { Composer, type CST, type Document, isScalar, LineCounter, type Node, Parser, visit } from "yaml";

/** What is wrong with a YAML text, and where: line and column from 1. */
export interface YamlFault {
  line: number;
  column: number;
  message: string;
}

/** A YAML text that was read. */
export interface YamlText {
  document: Document;
  /** Line and column of an offset, from 1. */
  placeOf: (offset: number) => { line: number; column: number };
}

const deepest = 100;
const mostAliases = 100;
const tooDeep = `nested deeper than ${deepest} levels`;

/** Where something stands deeper than 100 levels: composing it would overflow the stack, which may end the process. */
function deepOffset(whole: CST.Token): number | undefined {
  const open: (readonly [CST.Token, number])[] = [[whole, 0]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [token, depth] = next;
    if (depth > deepest) return token.offset;
    const items = "items" in token ? token.items : token.type === "document" ? [token] : [];
    for (const item of items) {
      if (item.value) open.push([item.value, depth + 1]);
      if ("key" in item && item.key) open.push([item.key, depth + 1]);
    }
  }
  return undefined;
}

/** What the library looks for in time quadratic in the keys or the aliases: keys that stand twice, more than 100 aliases. */
function* faultsOf(document: Document): Generator<{ offset: number; message: string }, void> {
  const found: { offset: number; message: string }[] = [];
  let aliases = 0;
  visit(document, {
    Map(_key, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        const name = isScalar(key) ? key.value : key;
        const offset = (key as Node | null)?.range?.[0] ?? 0;
        if (seen.has(name)) found.push({ offset, message: "Map keys must be unique" });
        seen.add(name);
      }
    },
    Alias(_key, { range }) {
      aliases += 1;
      if (aliases === mostAliases + 1)
        found.push({ offset: range?.[0] ?? 0, message: `more than ${mostAliases} aliases` });
    },
  });
  yield* found;
}

/**
 * Reads a text that holds one YAML document.
 * Guarantee: never throws; linear in the text's length, but for its aliases, which are at most 100.
 */
export function readYamlText(text: string): YamlText | { faults: YamlFault[] } {
  const lines = new LineCounter();
  const placeOf: YamlText["placeOf"] = (offset) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const refuse = (offset: number, message: string): YamlFault => ({ ...placeOf(offset), message });
  const tokens: CST.Token[] = [];
  for (const token of new Parser(lines.addNewLine).parse(text)) {
    const deep = deepOffset(token);
    if (deep !== undefined) return { faults: [refuse(deep, tooDeep)] };
    tokens.push(token);
  }
  const documents = [...new Composer({ uniqueKeys: false }).compose(tokens, true, text.length)];
  const [document, more] = documents;
  if (!document) return { faults: [refuse(0, "it holds nothing")] };
  const faults = document.errors.map(({ pos, message }) => refuse(pos[0], message));
  if (more) faults.push(refuse(more.range[0], "a second document begins: one is expected"));
  if (faults.length === 0)
    for (const { offset, message } of faultsOf(document)) faults.push(refuse(offset, message));
  return faults.length > 0 ? { faults } : { document, placeOf };
}

function checkDepth(value: unknown, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > deepest) throw new RangeError(tooDeep);
  for (const item of Object.values(value)) checkDepth(item, depth + 1);
}

/**
 * The plain value of a part of a document. Throws ReferenceError on an alias of nothing, or of far too much, and RangeError on
 * what holds itself.
 */
export function plainOf(part: Node, document: Document): unknown {
  const value: unknown = part.toJS(document, { maxAliasCount: mostAliases });
  checkDepth(value, 0);
  return value;
}
