// The charts of the live view: which numbers each draws, and how it says them.

import * as format from "../format.js";
import { t, word } from "../i18n.js";

const perSecond = (value) => `${format.short(value)}/s`;

const chart = (key, live, series, show) => ({
  times: live.times,
  series,
  format: show,
  sync: "live",
  says: said(t(key), series, show),
});

/** Getters for `x-chart`; null until something is known. */
export function liveCharts() {
  return {
    get traffic() {
      const of = this.live?.series;
      return of && chart("live.traffic", this.live, [
        line("live.requests", of.requests_per_s),
        line("live.refused", of.refused_per_s),
        line("live.errors", of.errors_per_s),
      ], perSecond);
    },
    get latency() {
      const of = this.live?.series;
      return of && chart("live.latency", this.live, quantiles(of.latency_s), format.seconds);
    },
    get firstToken() {
      const of = this.live?.series;
      return of && chart("live.first_token", this.live, quantiles(of.first_token_s), format.seconds);
    },
    get hits() {
      const of = this.live?.series;
      return of && chart("live.cache", this.live, named("cache", of.cache_per_s), perSecond);
    },
    get tokens() {
      const of = this.live?.series;
      return of && chart("live.tokens", this.live, named("tokens", of.tokens_per_s), perSecond);
    },
    get spending() {
      const of = this.live?.series;
      return of && chart("live.cost", this.live, [
        line("live.spent", of.cost_micro_usd_per_min),
        line("live.saved", of.saved_micro_usd_per_min),
      ], format.money);
    },
  };
}

function line(key, values) {
  return { name: t(key), values };
}

function quantiles(by) {
  return ["p50", "p95", "p99"].map((name) => ({ name, values: by[name] }));
}

function named(room, by) {
  return Object.entries(by).map(([name, values]) => ({ name: word(`${room}.${name}`, name), values }));
}

/** A chart in words: its title and the last value of each line. */
function said(title, series, show) {
  const last = series.map(({ name, values }) => `${name} ${show(values?.at(-1))}`);
  return `${title}: ${last.join(", ")}`;
}
