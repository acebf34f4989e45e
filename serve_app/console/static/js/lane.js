// One conversation with one model: what was said, and the figures of the last answer.

import { isAbort } from "./api.js";
import { answer } from "./asking.js";
import { t } from "./i18n.js";
import { bars, span, trailOf } from "./trail.js";
import { explain } from "./words.js";

let number = 0;

export class Lane {
  constructor(model) {
    this.id = number += 1;
    this.model = model;
    this.turns = [];
    this.isBusy = false;
    this.giveUp = null;
    this.trail = null;
    this.trailSays = "";
  }

  /** Another lane with the same questions, for another model. */
  twin(model) {
    return new Lane(model);
  }

  get last() {
    return this.turns.at(-1);
  }
  get requestId() {
    return this.last?.figures.request_id ?? "";
  }
  get bars() {
    return this.trail ? bars(this.trail) : [];
  }
  get whole() {
    return this.trail ? span(this.trail) : 0;
  }

  async ask(text, settings) {
    const messages = [...this.messages(), { role: "user", content: text }];
    this.turns.push({ question: text, text: "", thought: "", problem: "", figures: {}, isStopped: false });
    const turn = this.last;
    this.isBusy = true;
    this.trail = null;
    this.trailSays = t("trail.coming");
    this.giveUp = new AbortController();
    try {
      await answer({ model: this.model, messages, settings, signal: this.giveUp.signal }, turn);
    } catch (problem) {
      if (isAbort(problem)) turn.isStopped = true;
      else turn.problem = explain(problem);
    } finally {
      this.isBusy = false;
    }
    await this.explainWith(turn);
  }

  stop() {
    this.giveUp?.abort();
  }

  clear() {
    this.turns = [];
    this.trail = null;
    this.trailSays = "";
  }

  messages() {
    const whole = this.turns.filter((turn) => turn.text && !turn.problem);
    return whole.flatMap((turn) => [
      { role: "user", content: turn.question },
      { role: "assistant", content: turn.text },
    ]);
  }

  /** Fetch the trail of an answer, if it is still the last one then. */
  async explainWith(turn) {
    const id = turn.figures.request_id;
    if (!id) {
      this.trailSays = t("trail.none");
      return;
    }
    try {
      const trail = await trailOf(id);
      if (turn !== this.last) return;
      this.trail = Object.freeze(trail);
      turn.figures.cost_micro_usd ??= trail.cost_micro_usd;
      this.trailSays = "";
    } catch (problem) {
      if (turn === this.last) this.trailSays = explain(problem);
    }
  }
}
