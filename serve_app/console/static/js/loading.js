// What every view has that shows something fetched: waiting, shown, or failed with a way on.

import { isAbort } from "./api.js";
import { explain } from "./words.js";

/** `phase` is `waiting`, `shown` or `failed`; `fetching` gets `this` of the view. */
export function loading(fetching) {
  let turn = 0;
  return {
    phase: "waiting",
    problem: "",
    async load() {
      const mine = (turn += 1);
      try {
        const taken = await fetching.call(this);
        if (mine !== turn) return;
        if (typeof taken === "function") taken();
        this.phase = "shown";
        this.problem = "";
      } catch (problem) {
        if (mine !== turn || isAbort(problem)) return;
        this.phase = "failed";
        this.problem = explain(problem);
      }
    },
  };
}
