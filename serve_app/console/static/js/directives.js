// What templates may say beyond Alpine's own words: x-chart, x-share, x-bar, x-copy, x-scroll.

import Alpine from "../vendor/alpine/alpine-csp.esm.min.js";
import { Chart } from "./chart.js";
import { say } from "./dialogs.js";
import { t } from "./i18n.js";

/** A chart kept in an element: `x-chart="traffic"`, see `chart.js` for what that holds. */
function chart(element, { expression }, { evaluateLater, effect, cleanup }) {
  const value = evaluateLater(expression);
  let kept = null;
  effect(() => {
    value((spec) => {
      if (!spec) return;
      kept ??= new Chart(element, spec);
      element.setAttribute("aria-label", spec.says);
      element.dataset.none = t("chart.none");
      kept.show(spec);
    });
  });
  element.setAttribute("role", "group");
  cleanup(() => kept?.end());
}

/** A bar as long as a share of 1: `x-share="used"` on a meter's inner span. */
function share(element, { expression }, { evaluateLater, effect }) {
  const value = evaluateLater(expression);
  effect(() => {
    value((part) => element.style.setProperty("--share", Math.min(1, Math.max(0, part || 0))));
  });
}

/** A bar of a waterfall, from and share of the whole: `x-bar="one"`. */
function bar(element, { expression }, { evaluateLater, effect }) {
  const value = evaluateLater(expression);
  effect(() => {
    value(({ from, share }) => {
      element.style.setProperty("--from", from);
      element.style.setProperty("--share", share);
    });
  });
}

/** A button that copies a text: `x-copy="secret"`. */
function copy(element, { expression }, { evaluateLater, cleanup }) {
  const value = evaluateLater(expression);
  const pressed = () => value(async (text) => {
    const isCopied = await copied(String(text), element);
    say(t(isCopied ? "act.copied" : "act.not_copied"), !isCopied);
  });
  element.addEventListener("click", pressed);
  cleanup(() => element.removeEventListener("click", pressed));
}

/** The clipboard is only there on https and on this machine; the old way works everywhere. */
async function copied(text, beside) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    beside.after(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    beside.focus();
    return done;
  }
}

/** A box that scrolls sideways can be reached and moved by keys. */
function scroll(element, { expression }, { effect }) {
  element.classList.add("scroll");
  element.tabIndex = 0;
  element.setAttribute("role", "group");
  effect(() => element.setAttribute("aria-label", t(expression)));
}

export function teachDirectives() {
  Alpine.directive("chart", chart);
  Alpine.directive("share", share);
  Alpine.directive("bar", bar);
  Alpine.directive("copy", copy);
  Alpine.directive("scroll", scroll);
}
