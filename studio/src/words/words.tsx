import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import { useStored } from "../app/stored";
import { en, type Key, type Words } from "./en";

export type Language = "en" | "zh";
export const LANGUAGES: readonly [Language, string][] = [
  ["en", "English"],
  ["zh", "中文"],
];

type Values = Record<string, string | number>;
export type Say = (key: Key, values?: Values) => string;
type Spoken = { language: Language; t: Say };

/** Keys that come as a pair of `NAME.one` and `NAME.other`. */
type Counted<K> = K extends `${infer Name}.one` ? Name : never;

const FIRST: Language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
const Speaking = createContext<Spoken>({
  language: "en",
  t: (key, values) => fill(en[key], values),
});

export function fill(text: string, values: Values = {}): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export function useLanguage() {
  return useStored<Language>("language", FIRST);
}

/** Shows nothing until the words are there: no page in the wrong language. */
export function Spoken({ children }: { children: ReactNode }) {
  const [language] = useLanguage();
  const [zh, setZh] = useState<Words | null>(null);
  useEffect(() => {
    if (language === "zh" && !zh) import("./zh").then((found) => setZh(found.zh));
  }, [language, zh]);
  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  }, [language]);
  const words = language === "zh" ? zh : en;
  const spoken = useMemo<Spoken | null>(
    () => words && { language, t: (key, values) => fill(words[key], values) },
    [language, words],
  );
  return spoken && <Speaking value={spoken}>{children}</Speaking>;
}

export function useWords(): Say {
  return useContext(Speaking).t;
}

/** `say("reel.results", 3)`: the form that the number asks for. */
export function useCount(): (name: Counted<Key>, n: number, values?: Values) => string {
  const { t, language } = useContext(Speaking);
  return (name, n, values) =>
    t(`${name}.${language === "en" && n === 1 ? "one" : "other"}` as Key, { n, ...values });
}

/** Numbers, durations and dates as the language writes them. */
export function useNumbers() {
  const { language, t } = useContext(Speaking);
  return useMemo(() => {
    const locale = language === "zh" ? "zh-CN" : "en";
    const plain = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
    const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
    return {
      plain: (value: number) => plain.format(value),
      when: (unix_s: number) => day.format(unix_s * 1000),
      bytes: (bytes: number) => {
        const unit = bytes >= 1e9 ? 3 : bytes >= 1e6 ? 2 : bytes >= 1e3 ? 1 : 0;
        return `${plain.format(bytes / 10 ** (3 * unit))} ${["B", "kB", "MB", "GB"][unit]}`;
      },
      span: (seconds: number) => {
        if (seconds < 60)
          return t("span.s", { n: plain.format(seconds < 10 ? seconds : Math.round(seconds)) });
        if (seconds < 3600) {
          const rest = Math.round(seconds % 60);
          return t("span.min", { m: Math.floor(seconds / 60), s: rest });
        }
        if (seconds >= 172_800) return t("span.d", { n: Math.round(seconds / 86_400) });
        return t("span.h", { h: Math.floor(seconds / 3600), m: Math.round((seconds % 3600) / 60) });
      },
    };
  }, [language, t]);
}

/** `0:03.250`: minutes, seconds, thousandths. */
export function timecode(seconds: number): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  const rest = ((ms % 60_000) / 1000).toFixed(3).padStart(6, "0");
  return `${Math.floor(ms / 60_000)}:${rest}`;
}
