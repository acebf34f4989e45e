// Costs: what was spent in a period, by whom and on what, and what was saved.

import { get } from "../api.js";
import * as format from "../format.js";
import { t } from "../i18n.js";
import { loading } from "../loading.js";
import { mix } from "../mix.js";
import { has, overview } from "../session.js";
import { save } from "../saving.js";
import { bins, layers, sums, table } from "./cost_sums.js";
import { priced, routed } from "./cost_router.js";

const HOUR_S = 3600;
const PERIODS = { "24h": 24 * HOUR_S, "7d": 7 * 86_400, "30d": 30 * 86_400, "90d": 90 * 86_400 };
const GROUPS = ["tenant", "team", "user", "key", "model", "backend", "route", "tier", "time"];
const MOST = 10_000;

export function costsPart() {
  return mix(loading(fetching), {
    periods: [...Object.keys(PERIODS), "own"],
    groups: GROUPS,
    period: "7d",
    group: "tenant",
    from: "",
    to: "",
    tenant: "",
    reference: "",
    report: null,

    init() {
      this.reference = this.models.at(0)?.name ?? "";
      this.load();
    },
    get isThere() {
      return has("/v1/costs");
    },
    get tenants() {
      return overview.tenants;
    },
    /** Models with a price, the dearest first: what a router could have asked instead. */
    get models() {
      return priced(overview.backends);
    },

    choose(period) {
      this.period = period;
      if (period !== "own" || (this.from && this.to)) this.load();
    },
    pick() {
      this.load();
    },

    get rows() {
      return this.report?.rows ?? [];
    },
    get total() {
      return this.report.total;
    },
    get routerSaved() {
      return routed(this.report.tiers, overview.backends, this.reference);
    },
    get chart() {
      const { report } = this;
      return report && {
        times: report.bins,
        series: report.layers,
        format: format.money,
        bars: true,
        stacked: true,
        daily: report.unit === "day",
        height: 220,
        says: `${t("costs.over_time")}: ${format.money(report.total.cost_micro_usd)}`,
      };
    },
    get unit() {
      return this.span().unit;
    },
    label(row) {
      return row.name === "" ? t("costs.nobody") : row.name;
    },
    share(row) {
      const whole = this.total.cost_micro_usd;
      return whole ? row.cost_micro_usd / whole : 0;
    },
    hits(row) {
      return row.requests ? row.cached / row.requests : null;
    },
    download() {
      save(`costs-${this.report.group}.csv`, "text/csv", table(this.report));
    },

    /** The period in Unix seconds, and how finely it is drawn. */
    span() {
      const now = Math.ceil(Date.now() / 1000);
      const chosen = PERIODS[this.period];
      const since = chosen ? now - chosen : new Date(`${this.from}T00:00`).getTime() / 1000;
      const until = chosen ? now : new Date(`${this.to}T00:00`).getTime() / 1000 + 86_400;
      return { since, until, unit: until - since <= 2 * 86_400 ? "hour" : "day" };
    },
  });

  async function fetching() {
    const { since, until, unit } = this.span();
    const query = { from: since, to: until, tenant: this.tenant, limit: MOST };
    const { group } = this;
    const by = group === "time" ? unit : `${unit},${group}`;
    const [report, tiers] = await Promise.all([
      get("/v1/costs", { ...query, group_by: by }),
      get("/v1/costs", { ...query, group_by: "tier" }),
    ]);
    return () => {
      const times = bins(report.from, report.to, unit);
      this.report = Object.freeze({
        group,
        unit,
        total: report.total,
        isComplete: report.is_complete,
        rows: sums(report.data, group === "time" ? unit : group),
        bins: times,
        layers: layers(report.data, times, unit, group),
        tiers: tiers.data,
      });
    };
  }
}
