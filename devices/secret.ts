import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/** Cost of scrypt as powers and factors: N = 2^logN. */
interface Cost {
  logN: number;
  r: number;
  p: number;
}

/** For secrets that people choose. Source: OWASP Password Storage Cheat Sheet (scrypt N=2^15, r=8, p=3). */
const passwordCost: Cost = { logN: 15, r: 8, p: 3 };
/** For secrets of devices, which reconnect often and mostly carry 128 random bits. */
const deviceCost: Cost = { logN: 12, r: 8, p: 1 };
const keyBytes = 32;

function derive(secret: string, salt: Buffer, cost: Cost): Promise<Buffer> {
  const { logN, r, p } = cost;
  const options = { N: 2 ** logN, r, p, maxmem: 256 * 2 ** logN * r };
  return new Promise((resolve, reject) =>
    scrypt(secret.normalize("NFC"), salt, keyBytes, options, (error, key) =>
      error ? reject(error) : resolve(key),
    ),
  );
}

/** Hashes a secret: `$scrypt$ln=12,r=8,p=1$salt$key`, base64 without padding. */
export async function hashSecret(secret: string, use: "password" | "device" = "device"): Promise<string> {
  const cost = use === "password" ? passwordCost : deviceCost;
  const salt = randomBytes(16);
  const key = await derive(secret, salt, cost);
  const text = (bytes: Buffer): string => bytes.toString("base64").replaceAll("=", "");
  return `$scrypt$ln=${cost.logN},r=${cost.r},p=${cost.p}$${text(salt)}$${text(key)}`;
}

/** Says in constant time whether a secret is the hashed one; false for a hash that can't be read. */
export async function verifySecret(secret: string, hash: string): Promise<boolean> {
  const found = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(
    hash,
  );
  if (!found) return false;
  const [logN, r, p] = found.slice(1, 4).map(Number) as [number, number, number];
  const expected = Buffer.from(found[5] ?? "", "base64");
  const key = await derive(secret, Buffer.from(found[4] ?? "", "base64"), { logN, r, p });
  return key.length === expected.length && timingSafeEqual(key, expected);
}

/** A new secret: 24 random bytes as 32 characters of base64url. */
export function newSecret(): string {
  return randomBytes(24).toString("base64url");
}
