// Log in with an admin's or a viewer's key, which the browser never keeps.

import { explain } from "../words.js";
import { enter, session } from "../session.js";

export function loginPart() {
  return {
    key: "",
    problem: "",
    isBusy: false,

    get isPossible() {
      return session.login;
    },

    async submit() {
      if (this.isBusy || !this.key.trim()) return;
      this.isBusy = true;
      this.problem = "";
      try {
        await enter(this.key.trim());
      } catch (problem) {
        this.problem = explain(problem);
        this.$nextTick(() => this.$refs.key?.focus());
      } finally {
        this.key = "";
        this.isBusy = false;
      }
    },
  };
}
