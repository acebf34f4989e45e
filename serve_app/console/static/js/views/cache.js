// The cache: what is asked often, found by its words, and how to let go of what is kept.

import { get, send } from "../api.js";
import { confirmed, doing, say } from "../dialogs.js";
import { count } from "../format.js";
import { t } from "../i18n.js";
import { loading } from "../loading.js";
import { mix } from "../mix.js";
import { overview } from "../session.js";

export function cachePart() {
  return mix(loading(fetching), {
    tenant: "",
    words: "",
    questions: [],
    searched: 0,
    asOf: "",
    kept: null,
    purge: { by: "tag", value: "", tenant: "" },
    isBusy: false,

    init() {
      this.load();
    },
    get tenants() {
      return overview.tenants;
    },
    /** Questions are counted where alike ones are looked for. */
    get isCounting() {
      return overview.features.semantic === true;
    },
    get hasTenant() {
      return !["tenant", "all"].includes(this.purge.by);
    },
    get kinds() {
      return ["tag", "model", "fingerprint", "tenant", "all"];
    },

    async purgeOne(question) {
      const query = { tenant: this.asOf, fingerprint: question.fingerprint };
      await this.ask(query, t("cache.purge_one_text"), question.text);
    },
    async purgeMany() {
      const { by, value, tenant } = this.purge;
      if (by === "all") return this.ask({ all: "true" }, t("cache.purge_all_text"), "");
      if (by === "tenant") return this.ask({ tenant: value }, t("cache.purge_tenant_text"), value);
      return this.ask({ tenant, [by]: value }, t(`cache.purge_${by}_text`), value);
    },
    async ask(query, text, detail) {
      const isSure = await confirmed({ title: t("cache.purge_title"), text, detail, act: t("cache.purge") });
      if (!isSure) return;
      this.isBusy = true;
      await doing(async () => {
        const { entries } = await send("DELETE", "/v1/cache", undefined, query);
        say(t("cache.purged", { count: count(entries) }));
      });
      this.isBusy = false;
      await this.load();
    },
    hitShare(question) {
      return question.asked ? question.hits / question.asked : null;
    },
  });

  async function fetching() {
    const query = { tenant: this.tenant, q: this.words, limit: 100 };
    const [found, live] = await Promise.all([
      get("/console/api/cache/questions", query),
      get("/console/api/live", { window: "60m" }),
    ]);
    return () => {
      this.questions = found.data;
      this.searched = found.searched;
      this.asOf = found.tenant;
      const { cache_hit_share: hits, saved_micro_usd: saved } = live.totals;
      this.kept = Object.freeze({ ...live.cache, hits, saved });
    };
  }
}
