import { fileURLToPath } from "node:url";

/**
 * Path of the demo city: a cut of Kraków that carries no secrets.
 * Guarantee: meant for anonymous devices on loopback; whoever shows its numbers says that they are made.
 */
export function demoCityFile(): string {
  return fileURLToPath(new URL("./city.yaml", import.meta.url));
}
