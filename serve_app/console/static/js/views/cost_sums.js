// Sums of a report's rows: by name for the table, by name and time for the chart.

import { t } from "../i18n.js";

const STEP_S = { hour: 3600, day: 86_400 };
const TOP = 5;
const FIELDS = [
  "requests", "failed", "prompt_tokens", "completion_tokens", "cost_micro_usd",
  "cached", "saved_micro_usd", "provider_cached_tokens",
];

/** Beginnings of all hours or days of a period, in UTC as the gateway counts them. */
export function bins(since, until, unit) {
  const step = STEP_S[unit];
  const found = [];
  for (let at = Math.floor(since / step) * step; at < until; at += step) found.push(at);
  return found;
}

/** One row a name, the dearest first; times in their order. */
export function sums(data, field) {
  const byName = new Map();
  for (const row of data) {
    const name = row[field];
    const sum = byName.get(name) ?? { name, ...Object.fromEntries(FIELDS.map((key) => [key, 0])) };
    for (const key of FIELDS) sum[key] += row[key];
    byName.set(name, sum);
  }
  const rows = [...byName.values()];
  if (field in STEP_S) return rows.sort((a, b) => (a.name < b.name ? 1 : -1));
  return rows.sort((a, b) => b.cost_micro_usd - a.cost_micro_usd || b.requests - a.requests);
}

/** A series for each of the dearest names, and one for all others. */
export function layers(data, times, unit, group) {
  if (group === "time") return [layer(t("costs.spent"), data, times, unit)];
  const names = sums(data, group).map((row) => row.name);
  const shown = names.length > TOP + 1 ? names.slice(0, TOP) : names;
  const found = shown.map((name) =>
    layer(name || t("costs.nobody"), data.filter((row) => row[group] === name), times, unit),
  );
  const others = data.filter((row) => !shown.includes(row[group]));
  if (others.length) found.push(layer(t("costs.others"), others, times, unit));
  return found;
}

function layer(name, data, times, unit) {
  const byTime = new Map(times.map((at) => [at, 0]));
  for (const row of data) {
    const at = Date.parse(row[unit]) / 1000;
    byTime.set(at, (byTime.get(at) ?? 0) + row.cost_micro_usd);
  }
  return { name, values: times.map((at) => byTime.get(at)) };
}

/** The table as CSV; money in micro-USD, exactly. */
export function table({ group, rows }) {
  const lines = [[group, ...FIELDS], ...rows.map((row) => [row.name, ...FIELDS.map((key) => row[key])])];
  return `${lines.map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}

/** Quoted where needed; a spreadsheet must not take a name for a formula. */
function cell(value) {
  const text = /^[=+\-@\t\r]/.test(value) && typeof value === "string" ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
