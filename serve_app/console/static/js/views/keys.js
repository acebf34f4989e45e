// API keys: listed, made (the secret is seen once), changed in state, rotated, deleted.

import { get, send } from "../api.js";
import { close, confirmed, doing, open } from "../dialogs.js";
import { t } from "../i18n.js";
import { loading } from "../loading.js";
import { mix } from "../mix.js";
import { overview } from "../session.js";
import { blankTerms, termsOf } from "./key_terms.js";

const ONE_PAGE = 100;

export function keysPart() {
  return mix(loading(fetching), {
    keys: [],
    next: "",
    tenant: "",
    terms: blankTerms(),
    made: { key: "", id: "" },
    rotating: { id: "", hours: 24 },
    problem_made: "",
    isBusy: false,

    init() {
      this.load();
    },
    get tenants() {
      return overview.tenants;
    },
    state(key) {
      const now = Date.now() / 1000;
      if (key.disabled) return "disabled";
      if (key.expires_at && key.expires_at <= now) return "expired";
      if (key.retires_at && key.retires_at <= now) return "retired";
      return key.retires_at ? "retiring" : "active";
    },
    tone(state) {
      return { active: "good", retiring: "warn", disabled: "bad" }[state] ?? "";
    },
    /** The limits of a key in one line. */
    limits(key) {
      const { budget, ...rates } = key.limits;
      const parts = Object.entries(rates).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`);
      for (const [period, dollars] of Object.entries(budget ?? {})) parts.push(`${period} $${dollars}`);
      return parts.join(" · ");
    },

    async more() {
      await doing(async () => {
        const page = await get("/v1/keys", { tenant: this.tenant, limit: ONE_PAGE, after: this.next });
        this.keys.push(...page.data);
        this.next = page.next;
      });
    },

    begin() {
      this.terms = blankTerms();
      this.problem_made = "";
      open("key-new");
    },
    async create() {
      this.isBusy = true;
      this.problem_made = "";
      try {
        this.show(await send("POST", "/v1/keys", termsOf(this.terms)));
        close("key-new");
      } catch (problem) {
        this.problem_made = problem.message || t("problem.unknown");
      } finally {
        this.isBusy = false;
      }
    },
    show(made) {
      this.made = { key: made.key, id: made.id };
      open("key-made");
      this.load();
    },
    /** The secret is gone from the page when its dialog is. */
    forgetMade() {
      this.made = { key: "", id: "" };
    },

    beginRotation(key) {
      this.rotating = { id: key.id, hours: 24 };
      open("key-rotate");
    },
    async rotate() {
      const { id, hours } = this.rotating;
      close("key-rotate");
      await doing(async () => {
        const grace_s = Math.round(Number(hours || 0) * 3600);
        this.show(await send("POST", `/v1/keys/${id}/rotate`, { grace_s }));
      });
    },
    async disable(key) {
      const isSure = await confirmed({
        title: t("keys.disable_title"),
        text: t("keys.disable_text"),
        detail: key.id,
        act: t("keys.disable"),
      });
      if (isSure) await this.change(key, "disable", "keys.disabled");
    },
    async enable(key) {
      await this.change(key, "enable", "keys.enabled");
    },
    async change(key, act, done) {
      await doing(() => send("POST", `/v1/keys/${key.id}/${act}`, {}), t(done, { id: key.id }));
      await this.load();
    },
    async remove(key) {
      const isSure = await confirmed({
        title: t("keys.delete_title"),
        text: t("keys.delete_text"),
        detail: key.id,
        act: t("keys.delete"),
      });
      if (!isSure) return;
      await doing(() => send("DELETE", `/v1/keys/${key.id}`), t("keys.deleted", { id: key.id }));
      await this.load();
    },
    shut(id) {
      close(id);
    },
  });

  async function fetching() {
    const page = await get("/v1/keys", { tenant: this.tenant, limit: ONE_PAGE });
    return () => {
      this.keys = page.data;
      this.next = page.next;
    };
  }
}
