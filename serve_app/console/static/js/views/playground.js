// The playground: one question to one model, or to two side by side, with what became of it.

import { t } from "../i18n.js";
import { Lane } from "../lane.js";
import { mix } from "../mix.js";
import { overview } from "../session.js";
import { keep, kept } from "../kept.js";

const DEFAULTS = {
  system: "",
  temperature: "",
  top_p: "",
  max_tokens: "",
  seed: "",
  stream: true,
  fresh: false,
};

export function playgroundPart() {
  return mix({
    text: "",
    lanes: [],
    settings: { ...DEFAULTS },
    isComparing: false,

    init() {
      const names = this.names;
      const chosen = kept("model");
      this.lanes = [new Lane(names.includes(chosen) ? chosen : (names[0] ?? "auto"))];
    },
    destroy() {
      this.stop();
    },

    /** Names that the gateway lists: routes, tiers, aliases, models. */
    get names() {
      return overview.models.map((one) => one.id);
    },
    /** Each backend's chat models by themselves. */
    get certain() {
      return overview.backends
        .filter((one) => !one.off)
        .flatMap((one) => one.models.filter(isChat).map((model) => `${one.name}/${model.id}`))
        .filter((name) => !this.names.includes(name));
    },
    get isBusy() {
      return this.lanes.some((lane) => lane.isBusy);
    },
    /** For those who hear the page: that an answer is there, not each of its pieces. */
    get said() {
      if (this.isEmpty) return "";
      return this.isBusy ? t("play.busy") : this.lanes.map((lane) => lane.last.text).join("\n");
    },
    get isEmpty() {
      return this.lanes.every((lane) => lane.turns.length === 0);
    },

    compare() {
      this.isComparing = !this.isComparing;
      if (this.isComparing) this.lanes.push(this.lanes[0].twin(this.second));
      else this.lanes.splice(1).forEach((lane) => lane.stop());
    },
    get second() {
      const others = [...this.certain, ...this.names].filter((name) => name !== this.lanes[0].model);
      return others[0] ?? this.lanes[0].model;
    },

    submit() {
      const text = this.text.trim();
      if (!text || this.isBusy) return;
      keep("model", this.lanes[0].model);
      this.text = "";
      for (const lane of this.lanes) lane.ask(text, this.settings);
    },
    /** Enter sends, shift and enter begins a line; a word that is being composed is left alone. */
    typed(event) {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    },
    stop() {
      this.lanes.forEach((lane) => lane.stop());
    },
    clear() {
      this.stop();
      this.lanes.forEach((lane) => lane.clear());
      this.$refs.text.focus();
    },
    reset() {
      this.settings = { ...DEFAULTS };
    },
  });
}

function isChat(model) {
  return model.kind === "chat";
}
