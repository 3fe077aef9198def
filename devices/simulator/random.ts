/** Mixes a seed and texts into a key for {@link unit} and its kin: an unsigned 32-bit integer, the same on every machine. */
export function keyOf(seed: number, ...texts: string[]): number {
  let hash = mix(seed >>> 0);
  for (const text of texts) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash = mix(hash);
  }
  return hash >>> 0;
}

/** Number `n` of the stream `key`, even in [0, 1): a pure function, so that any moment can be asked for directly. */
export function unit(key: number, n: number): number {
  return mix((key ^ Math.imul(n, 0x9e3779b1)) | 0) / 4_294_967_296;
}

/** Number `n` of the stream `key` with mean 0 and standard deviation 1, within ±2.45 (triangular). */
export function noise(key: number, n: number): number {
  const hash = mix((key ^ Math.imul(n, 0x9e3779b1)) | 0);
  return (((hash >>> 16) + (hash & 0xffff)) / 65_536 - 1) * 2.449;
}

/** {@link noise} at whole `x`, joined smoothly in between. */
export function smoothNoise(key: number, x: number): number {
  const whole = Math.floor(x);
  const part = x - whole;
  const from = noise(key, whole);
  return from + (noise(key, whole + 1) - from) * part * part * (3 - 2 * part);
}

/** Makes a generator of even numbers in [0, 1) that depends on the seed alone. */
export function createRandom(seed: number): () => number {
  const key = keyOf(seed);
  let count = 0;
  return () => unit(key, count++);
}

/** MurmurHash3's finaliser. Source: Austin Appleby, MurmurHash3 (public domain). */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
