/** Something in a file of devices that can't be taken: where, why, and what to write instead. Lines and columns from 1. */
export interface ImportFault {
  line: number;
  /** CSV: number of the cell in its row; YAML: character of the line. */
  column: number;
  /** Listed in the room's README. */
  code: string;
  /** Heading of the cell, or keys down to the value: `identifiers.devEui`; "" for the whole row or file. */
  field: string;
  message: string;
}

/** One device as a file says it. */
export interface ImportRow {
  line: number;
  /** What the file says, as a city file would; a key without a value takes away what is known. */
  said: Readonly<Record<string, unknown>>;
  /** Where a value stands, by the keys down to it. */
  placeOf(path: readonly PropertyKey[]): { line: number; column: number; field: string };
}

/** What a file holds: its rows, and what is wrong with it before anybody knows the registry. */
export interface ImportFile {
  rows: ImportRow[];
  faults: ImportFault[];
}

/** Most rows of a file. */
export const mostRows = 50_000;
