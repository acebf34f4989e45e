// Dialogs: the browser's own, which keep the focus in, close by Escape and give the focus back.

import Alpine from "../vendor/alpine/alpine-csp.esm.min.js";
import { t } from "./i18n.js";

const asked = Alpine.reactive({ title: "", text: "", detail: "", act: "", danger: true });
let settle = null;

/** Ask before something that cannot be undone. `act` is the word on the button that does it. */
export function confirmed({ title, text, detail = "", act, danger = true }) {
  settle?.(false);
  Object.assign(asked, { title, text, detail, act, danger });
  const dialog = document.getElementById("confirm");
  return new Promise((resolve) => {
    settle = resolve;
    dialog.returnValue = "";
    if (!dialog.open) dialog.showModal();
  });
}

/** The one dialog that asks. */
export function confirmPart() {
  return {
    asked,
    closed() {
      settle?.(this.$root.returnValue === "yes");
      settle = null;
    },
    yes() {
      this.$root.close("yes");
    },
    no() {
      this.$root.close("");
    },
  };
}

/** Open the dialog of a view by its id, at its first field. */
export function open(id) {
  const dialog = document.getElementById(id);
  if (dialog && !dialog.open) dialog.showModal();
}

export function close(id) {
  document.getElementById(id)?.close();
}

const said = Alpine.reactive({ list: [] });
const STAYS_MS = 6000;
let number = 0;

/** Say that something was done, or failed, where every reader notices. */
export function say(text, bad = false) {
  const one = { id: (number += 1), text, bad };
  said.list = [...said.list.slice(-3), one];
  setTimeout(() => {
    said.list = said.list.filter((other) => other.id !== one.id);
  }, STAYS_MS);
}

export function toastsPart() {
  return { said };
}

/** Do something and say how it went; true if it did. */
export async function doing(work, done) {
  try {
    await work();
    if (done) say(done);
    return true;
  } catch (problem) {
    say(problem.message || t("problem.unknown"), true);
    return false;
  }
}
