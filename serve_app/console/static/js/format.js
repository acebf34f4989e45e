// Numbers, money and times for people. Money comes in micro-USD, times in Unix seconds.

import { language } from "./i18n.js";

export const NOTHING = "–";
const made = new Map();

function numbers(options) {
  const key = language() + JSON.stringify(options);
  if (!made.has(key)) made.set(key, new Intl.NumberFormat(language() || "en", options));
  return made.get(key);
}

function dates(options) {
  const key = `d${language()}${JSON.stringify(options)}`;
  if (!made.has(key)) {
    const hours = options.timeStyle ? { hourCycle: "h23" } : {};
    made.set(key, new Intl.DateTimeFormat(language() || "en", { ...options, ...hours }));
  }
  return made.get(key);
}

const missing = (value) => value === null || value === undefined || Number.isNaN(value);

/** A whole number with its groups: 12,345. */
export function count(value) {
  return missing(value) ? NOTHING : numbers({ maximumFractionDigits: 0 }).format(value);
}

/** Three digits that count, large ones with K, M, B: 1.23, 45.6, 789, 12.3K. */
export function short(value) {
  if (missing(value)) return NOTHING;
  const size = Math.abs(value);
  if (size >= 10_000) {
    return numbers({ notation: "compact", maximumSignificantDigits: 3 }).format(value);
  }
  if (size >= 100) return count(value);
  return numbers({ maximumFractionDigits: size >= 10 ? 1 : 2 }).format(value);
}

/** A share as percent: 0.0512 is 5.12%. */
export function percent(value) {
  if (missing(value)) return NOTHING;
  const size = Math.abs(value);
  const digits = size >= 0.9995 || size === 0 ? 0 : size >= 0.1 ? 1 : 2;
  return numbers({ style: "percent", maximumFractionDigits: digits }).format(value);
}

/** Dollars with as many digits as it takes to see the amount: $1,234.56, $0.0123, $0.000004. */
export function money(micro) {
  if (missing(micro)) return NOTHING;
  const dollars = micro / 1e6;
  const size = Math.abs(dollars);
  const digits = size >= 1 || size === 0 ? 2 : size >= 0.1 ? 3 : size >= 0.01 ? 4 : 6;
  return `${dollars < 0 ? "−" : ""}$${numbers({
    minimumFractionDigits: size === 0 ? 0 : Math.min(digits, 2),
    maximumFractionDigits: digits,
  }).format(size)}`;
}

/** Exact dollars, all six digits. */
export function exactMoney(micro) {
  if (missing(micro)) return NOTHING;
  return `$${numbers({ minimumFractionDigits: 6, maximumFractionDigits: 6 }).format(micro / 1e6)}`;
}

/** Milliseconds as 0.42 ms, 312 ms, 2.31 s, 3 min 12 s. */
export function ms(value) {
  if (missing(value)) return NOTHING;
  if (value < 9.95) return `${numbers({ maximumFractionDigits: value < 1 ? 2 : 1 }).format(value)} ms`;
  if (value < 999.5) return `${count(value)} ms`;
  if (value < 59_950) return `${numbers({ maximumSignificantDigits: 3 }).format(value / 1000)} s`;
  return duration(value / 1000);
}

export function seconds(value) {
  return missing(value) ? NOTHING : ms(value * 1000);
}

/** How long, in the two largest units: 2 d 3 h, 3 min 12 s. */
export function duration(value) {
  if (missing(value)) return NOTHING;
  const whole = Math.max(0, Math.round(value));
  const parts = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return "0 s";
  const shown = parts.slice(first, first + 2).filter(([amount]) => amount > 0);
  return shown.map(([amount, unit]) => `${amount} ${unit}`).join(" ");
}

export function bytes(value) {
  if (missing(value)) return NOTHING;
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return `${numbers({ maximumSignificantDigits: 3 }).format(value / 1000 ** step)} ${units[step]}`;
}

/** Date and time in the reader's zone. */
export function when(at) {
  if (!at) return NOTHING;
  return dates({ dateStyle: "medium", timeStyle: "medium" }).format(at * 1000);
}

/** With the zone's name, for a title. */
export function whenExactly(at) {
  if (!at) return "";
  return dates({ dateStyle: "full", timeStyle: "long" }).format(at * 1000);
}

export function clock(at) {
  if (!at) return NOTHING;
  return dates({ timeStyle: "medium" }).format(at * 1000);
}

export function day(at) {
  if (!at) return NOTHING;
  return dates({ dateStyle: "medium" }).format(at * 1000);
}

/** How long ago, or in how long: "5 minutes ago", "in 2 days". */
export function ago(at, now = Date.now() / 1000) {
  if (!at) return NOTHING;
  const by = at - now;
  const steps = [
    [60, 1, "second"],
    [3600, 60, "minute"],
    [86400, 3600, "hour"],
    [Infinity, 86400, "day"],
  ];
  const [, size, unit] = steps.find(([limit]) => Math.abs(by) < limit);
  return relative().format(Math.round(by / size), unit);
}

function relative() {
  const key = `r${language()}`;
  const options = { numeric: "auto" };
  if (!made.has(key)) made.set(key, new Intl.RelativeTimeFormat(language() || "en", options));
  return made.get(key);
}
