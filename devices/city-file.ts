import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type CityFile, parseCity } from "./city.js";

/** Reads a city file and what it names beside it. Throws `city-invalid` as {@link parseCity}; the file system's error when it isn't there. */
export function readCityFile(
  file: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): CityFile {
  const readBeside = (path: string): string => readFileSync(resolve(dirname(file), path), "utf8");
  return parseCity(readFileSync(file, "utf8"), { file, env, readBeside });
}
