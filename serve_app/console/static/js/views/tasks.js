// Background tasks and batches: how far they are; tried again, cancelled.

import { get, send } from "../api.js";
import { confirmed, doing } from "../dialogs.js";
import { t } from "../i18n.js";
import { loading } from "../loading.js";
import { mix } from "../mix.js";
import { overview } from "../session.js";
import { go, where } from "../views.js";

const EVERY_MS = 2500;
const ONE_PAGE = 50;
const STATES = ["pending", "delayed", "running", "succeeded", "failed", "cancelled", "dead"];
const TONES = {
  running: "info", in_progress: "info", finalizing: "info", validating: "info",
  succeeded: "good", completed: "good",
  failed: "bad", dead: "bad", expired: "bad",
  delayed: "warn", cancelling: "warn",
};

export function tasksPart() {
  let timer = 0;
  return mix(loading(fetching), {
    place: where(),
    states: STATES,
    state: "",
    tenant: "",
    list: [],
    listed: "",
    next: "",

    init() {
      this.load();
      timer = setInterval(() => this.refresh(), EVERY_MS);
      this.$watch("kind", () => this.change());
    },
    destroy() {
      clearInterval(timer);
    },

    get kind() {
      return this.place.query.kind === "batches" ? "batches" : "tasks";
    },
    get tenants() {
      return overview.tenants;
    },
    pick(kind) {
      go("tasks", { kind });
    },
    change() {
      this.list = [];
      this.listed = "";
      this.phase = "waiting";
      this.load();
    },
    /** The first page, if nobody has gone on to further ones. */
    refresh() {
      if (!document.hidden && this.list.length <= ONE_PAGE) this.load();
    },
    async more() {
      const kind = this.kind;
      await doing(async () => {
        const page = await get(this.path(), { ...this.query(), cursor: this.next });
        if (kind !== this.listed) return;
        this.list.push(...page.data);
        this.next = page.next;
      });
    },

    path() {
      return this.kind === "tasks" ? "/v1/tasks" : "/console/api/batches";
    },
    query() {
      const state = this.kind === "tasks" ? this.state : "";
      return { state, tenant: this.tenant, limit: ONE_PAGE };
    },
    tone(state) {
      return TONES[state] ?? "";
    },
    took(task) {
      if (!task.started_at) return null;
      return (task.ended_at ?? Date.now() / 1000) - task.started_at;
    },
    canRetry(task) {
      return task.state === "failed" || task.state === "dead";
    },
    canCancel(task) {
      return ["pending", "delayed", "running"].includes(task.state);
    },
    canStop(batch) {
      return ["validating", "in_progress", "finalizing"].includes(batch.status);
    },
    share(batch) {
      const { total, completed, failed } = batch.request_counts;
      return total ? (completed + failed) / total : 0;
    },

    async retry(task) {
      const path = `/v1/tasks/${task.id}/retry`;
      await doing(() => send("POST", path, {}), t("tasks.retried", { id: task.id }));
      await this.load();
    },
    async cancel(task) {
      if (!(await this.isSure(task.id))) return;
      const path = `/v1/tasks/${task.id}/cancel`;
      await doing(() => send("POST", path, {}), t("tasks.cancelled", { id: task.id }));
      await this.load();
    },
    async stop(batch) {
      if (!(await this.isSure(batch.id))) return;
      const path = `/console/api/batches/${encodeURIComponent(batch.tenant)}/${batch.id}/cancel`;
      await doing(() => send("POST", path, {}), t("tasks.cancelled", { id: batch.id }));
      await this.load();
    },
    isSure(id) {
      return confirmed({
        title: t("tasks.cancel_title"),
        text: t("tasks.cancel_text"),
        detail: id,
        act: t("tasks.cancel"),
      });
    },
  });

  async function fetching() {
    const kind = this.kind;
    const page = await get(this.path(), this.query());
    return () => {
      if (kind !== this.kind) return;
      this.list = page.data;
      this.listed = kind;
      this.next = page.next;
    };
  }
}
