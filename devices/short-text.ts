/** The beginning of a text, in memory of its own: what is sliced off a long text keeps all of it alive. */
export const shortText = (text: string, most: number): string =>
  text.length > most ? Buffer.from(text.slice(0, most)).toString() : text;
