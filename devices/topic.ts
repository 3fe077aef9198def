/**
 * True when the text can be published to: 1 to 65,535 bytes are the caller's matter; no wildcard, no U+0000.
 * Source: MQTT 3.1.1, 4.7.
 */
export function isTopic(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x23 || code === 0x2b || code === 0) return false;
  }
  return true;
}

/**
 * True when the text is a topic filter: `+` fills a level, `#` is the whole last level.
 * Source: MQTT 3.1.1, 4.7.1.
 */
export function isFilter(text: string): boolean {
  if (text.length === 0 || text.includes("\0")) return false;
  const levels = text.split("/");
  return levels.every((level, at) => {
    if (level === "+") return true;
    if (level === "#") return at === levels.length - 1;
    return !level.includes("+") && !level.includes("#");
  });
}

/**
 * True when every topic that `asked` can match is matched by `granted` too; both are filters (a topic is one).
 * A filter that begins with a wildcard never reaches a topic that begins with `$`.
 * Source: MQTT 3.1.1, 4.7.1 and 4.7.2.
 */
export function covers(granted: string, asked: string): boolean {
  const have = granted.split("/");
  const want = asked.split("/");
  if (want[0]?.startsWith("$") && have[0] !== want[0]) return false;
  for (let at = 0; at < have.length; at++) {
    if (have[at] === "#") return true;
    const level = want[at];
    if (level === undefined || level === "#") return false;
    if (have[at] !== "+" && have[at] !== level) return false;
  }
  // "a/+" doesn't cover "a/b/c"; "a/#" covers "a": the loop ended one level early only when the lengths agree
  return want.length === have.length;
}
