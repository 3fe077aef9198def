import { createContext, type ReactNode, use, useCallback, useEffect, useMemo, useState } from "react";
import { en, type Words } from "./words/en.ts";
import { pl } from "./words/pl.ts";
import { type Forms, formOf, type Language } from "./words/plural.ts";
import { className, quantityName, unitSign } from "./words/vocabulary.ts";

/** Everything a screen needs to say something in the reader's language and the city's time. */
export interface Say {
  language: Language;
  w: Words;
  timeZone: string;
  setLanguage: (language: Language) => void;
  /** Tells what the city speaks and where it is, once known. */
  setCity: (timeZone: string, language: Language | undefined) => void;
  /** A number with its unit, no-break space between; a fitting count of decimals. */
  number: (value: number, unit?: string) => string;
  /** What flowed, with its unit: to the last digit that a meter shows. */
  amount: (value: number, unit: string) => string;
  /** A whole number. */
  whole: (value: number) => string;
  /** A count and its noun in the right form: `5 urządzeń`. */
  count: (value: number, forms: Forms) => string;
  /** A reading: yes or no for a state, else number and unit. */
  reading: (value: number, unit: string, isState: boolean) => string;
  bytes: (value: number) => string;
  percent: (share: number) => string;
  /** Day and time of day in the city. */
  moment: (time: string | number) => string;
  /** From one moment to another in the city, without the year. */
  range: (from: string, to: string) => string;
  /** Time of day in the city, with seconds. */
  clock: (time: string | number) => string;
  /** A calendar day `YYYY-MM-DD` in words. */
  day: (day: string) => string;
  /** How long ago, in words. */
  ago: (time: string, nowMs: number) => string;
  /** A span of time in its largest fitting unit. */
  span: (seconds: number) => string;
  /** The same after "every": one hour is no number then. */
  each: (seconds: number) => string;
  quantity: (name: string) => string;
  class: (name: string) => string;
}

const Context = createContext<Say | undefined>(undefined);
const remembered = "obieg.language";
const nbsp = "\u00a0";

const isLanguage = (text: string | null | undefined): text is Language => text === "pl" || text === "en";

const recall = (): Language | undefined => {
  try {
    const text = localStorage.getItem(remembered);
    return isLanguage(text) ? text : undefined;
  } catch {
    return undefined;
  }
};

const remember = (language: Language): void => {
  try {
    localStorage.setItem(remembered, language);
  } catch {
    // A browser that forbids storage forgets the choice when the page closes; nothing else is lost.
  }
};

const decimals = (value: number): number => {
  const size = Math.abs(value);
  if (size >= 1000) return 0;
  if (size >= 100) return 1;
  return size >= 1 || size === 0 ? 1 : 3;
};

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** Ranges shorter than this are said with their seconds: to the minute, several would read the same. */
const shortRangeMs = 120_000;

const largest = (seconds: number): [Intl.RelativeTimeFormatUnit, number] =>
  steps.find(([, size]) => seconds >= size) ?? ["second", 1];

/** Makes the sayings of one language and time zone. Pure; the setters come from the provider. */
function sayings(language: Language, timeZone: string): Omit<Say, "setLanguage" | "setCity"> {
  const locale = language === "pl" ? "pl-PL" : "en-GB";
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0, useGrouping: true });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "always", style: "short" });
  const parts = {
    timeZone,
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  } as const;
  const moment = new Intl.DateTimeFormat(locale, { ...parts, year: "numeric" });
  const range = new Intl.DateTimeFormat(locale, parts);
  const shortRange = new Intl.DateTimeFormat(locale, { ...parts, second: "2-digit" });
  const clock = new Intl.DateTimeFormat(locale, { timeZone, timeStyle: "medium" });
  const civil = new Intl.DateTimeFormat(locale, { timeZone: "UTC", dateStyle: "full" });
  const number = (value: number, unit = "", digits = decimals(value)): string => {
    const text = new Intl.NumberFormat(locale, { maximumFractionDigits: digits, useGrouping: true }).format(
      value,
    );
    const sign = unitSign(unit);
    return sign === "" ? text : `${text}${nbsp}${sign}`;
  };
  const w = language === "pl" ? pl : en;
  const span = (seconds: number): string => {
    const [unit, size] = largest(seconds);
    return new Intl.NumberFormat(locale, {
      style: "unit",
      unit,
      unitDisplay: "long",
      maximumFractionDigits: 1,
    }).format(seconds / size);
  };
  return {
    language,
    w,
    timeZone,
    number: (value, unit) => number(value, unit),
    amount: (value, unit) => number(value, unit, 3),
    whole: (value) => whole.format(value),
    count: (value, forms) => `${whole.format(value)}${nbsp}${formOf(language, value, forms)}`,
    reading: (value, unit, isState) => (isState ? (value === 0 ? w.no : w.yes) : number(value, unit)),
    bytes: (value) => {
      const power = Math.min(4, value < 1 ? 0 : Math.floor(Math.log(value) / Math.log(1024)));
      return number(value / 1024 ** power, ["B", "KiB", "MiB", "GiB", "TiB"][power]);
    },
    percent: (value) => number(Math.round(value * 100), "%"),
    moment: (time) => moment.format(new Date(time)),
    range: (from, to) => {
      const [begin, end] = [new Date(from), new Date(to)];
      const isShort = end.getTime() - begin.getTime() < shortRangeMs;
      return (isShort ? shortRange : range).formatRange(begin, end);
    },
    clock: (time) => clock.format(new Date(time)),
    day: (day) => civil.format(new Date(`${day}T12:00:00Z`)),
    ago: (time, nowMs) => {
      const seconds = Math.max(0, Math.round((nowMs - Date.parse(time)) / 1000));
      const [unit, size] = largest(seconds);
      return relative.format(-Math.floor(seconds / size), unit);
    },
    span,
    each: (seconds) => w.each[seconds] ?? span(seconds),
    quantity: (name) => quantityName(name, language),
    class: (name) => className(name, language),
  };
}

/** Puts `{name}` holes of a sentence right. */
export const fill = (sentence: string, holes: Record<string, string>): string =>
  sentence.replaceAll(/\{(\w+)\}/g, (all, name: string) => holes[name] ?? all);

/** Gives the screens their language; remembered choice first, then the city's, then the document's. */
export function SayProvider({ children }: { children: ReactNode }): ReactNode {
  const [chosen, setChosen] = useState(recall);
  const [city, setCityState] = useState<{ timeZone: string; language: Language | undefined }>(() => ({
    timeZone: "Europe/Warsaw",
    language: isLanguage(document.documentElement.lang) ? document.documentElement.lang : undefined,
  }));
  const language = chosen ?? city.language ?? "pl";
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const setLanguage = useCallback((next: Language) => {
    remember(next);
    setChosen(next);
  }, []);
  const setCity = useCallback((timeZone: string, next: Language | undefined) => {
    setCityState((was) =>
      was.timeZone === timeZone && (next === undefined || was.language === next)
        ? was
        : { timeZone, language: next ?? was.language },
    );
  }, []);
  const say = useMemo(
    () => ({ ...sayings(language, city.timeZone), setLanguage, setCity }),
    [language, city.timeZone, setLanguage, setCity],
  );
  return <Context value={say}>{children}</Context>;
}

/** The sayings in force. */
export function useSay(): Say {
  const say = use(Context);
  if (say === undefined) throw new Error("useSay outside SayProvider");
  return say;
}
