// Alerts: what holds now, what nobody wants to hear of, what happened, where it is sent.

import { get, send } from "../api.js";
import { close, confirmed, doing, open } from "../dialogs.js";
import { t } from "../i18n.js";
import { loading } from "../loading.js";
import { mix } from "../mix.js";
import { ask } from "../status.js";
import { explain } from "../words.js";

const EVERY_MS = 5000;
const TONES = { critical: "bad", warning: "warn", info: "info" };

export function alertsPart() {
  let timer = 0;
  return mix(loading(fetching), {
    alerts: null,
    silences: [],
    form: blank(),
    formProblem: "",
    isBusy: false,

    init() {
      this.load();
      timer = setInterval(() => {
        if (!document.hidden) this.load();
      }, EVERY_MS);
    },
    destroy() {
      clearInterval(timer);
    },

    /** Firing first, then those that wait for their time. */
    get present() {
      return [...this.alerts.firing, ...this.alerts.pending];
    },
    get standing() {
      const now = Date.now() / 1000;
      return this.silences.filter((one) => one.until > now);
    },
    tone(severity) {
      return TONES[severity] ?? "";
    },
    labels(labels) {
      return Object.entries(labels).map(([name, value]) => `${name}=${value}`).join(" · ");
    },
    matchers(silence) {
      return silence.matchers.map((one) => `${one.label}${one.op}${one.value}`).join(" · ");
    },
    because({ author, reason }) {
      return [author, reason].filter(Boolean).join(": ");
    },
    isWeb(address) {
      return /^https?:\/\//.test(address);
    },

    begin(alert) {
      this.form = blank(alert);
      this.formProblem = "";
      open("silence-new");
    },
    async silence() {
      this.isBusy = true;
      this.formProblem = "";
      const { matchers, hours, reason } = this.form;
      const body = { matchers: read(matchers), for_s: Math.round(Number(hours) * 3600), reason };
      try {
        await send("POST", "/v1/alerts/silences", body);
        close("silence-new");
        await this.load();
        ask();
      } catch (problem) {
        this.formProblem = explain(problem);
      } finally {
        this.isBusy = false;
      }
    },
    async end(silence) {
      const isSure = await confirmed({
        title: t("alerts.end_title"),
        text: t("alerts.end_text"),
        detail: this.matchers(silence),
        act: t("alerts.end"),
      });
      if (!isSure) return;
      await doing(() => send("DELETE", `/v1/alerts/silences/${silence.id}`), t("alerts.ended"));
      await this.load();
    },
    async test(channel) {
      const path = `/v1/alerts/test/${encodeURIComponent(channel.name)}`;
      await doing(() => send("POST", path, {}), t("alerts.tested", { channel: channel.name }));
    },
    shut() {
      close("silence-new");
    },
  });

  async function fetching() {
    const [alerts, silences] = await Promise.all([
      get("/v1/alerts"),
      get("/v1/alerts/silences"),
    ]);
    return () => {
      this.alerts = Object.freeze(alerts);
      this.silences = silences.data;
    };
  }
}

function blank(alert) {
  const lines = alert
    ? [`alert=${alert.alert}`, ...Object.entries(alert.labels).map(([name, value]) => `${name}=${value}`)]
    : [];
  return { matchers: lines.join("\n"), hours: 2, reason: "" };
}

/** Lines such as `backend=~openai.*` as the gateway takes them. */
function read(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.map((line) => {
    const [, label, op, value] = /^(\w+)\s*(=~|!~|!=|=)\s*(.*)$/.exec(line) ?? [];
    return label ? { label, op, value } : { label: line, op: "=", value: "" };
  });
}
