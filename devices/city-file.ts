import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type CityFile, parseCity } from "./city.js";
import { hashSecret, verifySecret } from "./secret.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** By what a city file that was read is known again, with all that it took from elsewhere. */
export interface CityMark {
  /** Names of the environment that it asked for. */
  names: string[];
  /** Paths of the files that it named, as it named them. */
  beside: string[];
  /** Of its text, these values and these files; salted and slow to guess from, as secrets are among them. */
  hash: string;
}

/** What a city file is read with. */
export interface CityReader {
  env: Environment;
  /** The program that reads: another one may understand the same text otherwise. */
  build: string;
}

const besideOf =
  (file: string) =>
  (path: string): string =>
    readFileSync(resolve(dirname(file), path), "utf8");

function digestOf(
  text: string,
  { env, build }: CityReader,
  names: readonly string[],
  beside: readonly (readonly [path: string, content: string])[],
): string {
  const all = [build, text, names.map((name) => [name, env[name]]), beside];
  return createHash("sha256").update(JSON.stringify(all)).digest("base64");
}

/** Reads a city file and what it names beside it. Throws `city-invalid` as {@link parseCity}; the file system's error when it isn't there. */
export function readCityFile(file: string, env: Environment = process.env): CityFile {
  return parseCity(readFileSync(file, "utf8"), { file, env, readBeside: besideOf(file) });
}

/** {@link readCityFile}, with the mark by which {@link isUnchanged} knows it again. */
export async function readMarkedCity(
  file: string,
  reader: CityReader,
): Promise<{ city: CityFile; mark: CityMark }> {
  const text = readFileSync(file, "utf8");
  const names = new Set<string>();
  const beside = new Map<string, string>();
  const city = parseCity(text, {
    file,
    env: new Proxy(reader.env, {
      get(env, name: string) {
        names.add(name);
        return env[name];
      },
    }),
    readBeside(path) {
      const content = besideOf(file)(path);
      beside.set(path, content);
      return content;
    },
  });
  const hash = await hashSecret(digestOf(text, reader, [...names], [...beside]));
  return { city, mark: { names: [...names], beside: [...beside.keys()], hash } };
}

/** Says whether a city file, and all that it took from elsewhere, is still what was marked; false when something can't be read. */
export async function isUnchanged(file: string, reader: CityReader, mark: CityMark): Promise<boolean> {
  try {
    const beside = mark.beside.map((path) => [path, besideOf(file)(path)] as const);
    const digest = digestOf(readFileSync(file, "utf8"), reader, mark.names, beside);
    return await verifySecret(digest, mark.hash);
  } catch {
    return false;
  }
}
