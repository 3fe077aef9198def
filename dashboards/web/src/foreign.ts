/** Control characters, direction and other invisible marks, lone surrogates, line and paragraph separators; not a line's end or a tab. */
const invisible = /(?![\n\t])[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * Text of somebody else with what can't be seen, or would turn the text around it, written out: `\u{202E}`.
 * Source: Unicode UAX 9 (direction), UTS 55 (what source code must not hide).
 */
export const visible = (text: string): string =>
  text.replaceAll(
    invisible,
    (letter) => `\\u{${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}}`,
  );
