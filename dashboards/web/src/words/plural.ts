/** The languages of the page. */
export type Language = "pl" | "en";

/** Forms of a counted noun, by CLDR's plural categories; `other` serves fractions and whatever a language lacks. */
export type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

/** The form that a number takes in a language. Source: Unicode CLDR plural rules, through Intl. */
export const formOf = (language: Language, count: number, forms: Forms): string =>
  forms[new Intl.PluralRules(language).select(count)] ?? forms.other;
