import { isMap, isScalar, isSeq, type Node } from "yaml";
import { plainOf, readYamlText } from "../yaml-text.js";
import { textOfFile } from "./csv.js";
import { type ImportFault, type ImportFile, type ImportRow, mostRows } from "./fault.js";

/**
 * Reads devices from YAML: a list of them, or `devices:` with one, each as a city file writes it; null takes away what is known.
 * Guarantee: never throws on any bytes; every fault has its line and column.
 */
export function readYaml(bytes: Uint8Array): ImportFile {
  const read = readYamlText(textOfFile(bytes));
  if ("faults" in read)
    return { rows: [], faults: read.faults.map((one) => ({ ...one, code: "yaml-broken", field: "" })) };
  const { document, placeOf: at } = read;
  const root = document.contents;
  const list = isMap(root) ? root.get("devices", true) : root;
  const whole = (code: string, message: string): ImportFile => ({
    rows: [],
    faults: [{ line: 1, column: 1, code, field: "", message }],
  });
  if (!isSeq(list))
    return whole(
      "file-empty",
      "should be a list of devices, or devices: with one: - { id: bin-1, class: bin, place: krakow }",
    );
  if (list.items.length > mostRows)
    return whole("rows-too-many", `more than ${mostRows} devices: divide the file`);
  const faults: ImportFault[] = [];
  const rows = list.items.flatMap((item): ImportRow[] => {
    const node = item as Node;
    const start = at(node.range?.[0] ?? 0);
    if (!isMap(node)) {
      faults.push({
        ...start,
        code: "row-invalid",
        field: "",
        message: "should be a device: { id, class, place }",
      });
      return [];
    }
    let said: unknown;
    try {
      said = plainOf(node, document);
    } catch (error) {
      const message = error instanceof Error ? error.message : "can't be read";
      faults.push({ ...start, code: "yaml-broken", field: "", message });
      return [];
    }
    const placeOf = (path: readonly PropertyKey[]): ReturnType<ImportRow["placeOf"]> => {
      const field = path.map(String).join(".");
      for (let depth = path.length; depth > 0; depth -= 1) {
        const found = node.getIn(path.slice(0, depth), true);
        if (isScalar(found) || isMap(found) || isSeq(found)) return { ...at(found.range?.[0] ?? 0), field };
      }
      return { ...start, field };
    };
    return [{ line: start.line, said: said as ImportRow["said"], placeOf }];
  });
  return { rows, faults };
}
