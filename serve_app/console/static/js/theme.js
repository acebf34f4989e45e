// Light or dark: the system's, or what the reader chose.

import { keep, kept } from "./kept.js";

export const THEMES = ["system", "light", "dark"];
const root = document.documentElement;

export function theme() {
  const chosen = kept("theme");
  return THEMES.includes(chosen) ? chosen : "system";
}

export function wear(name) {
  keep("theme", name === "system" ? "" : name);
  if (name === "system") delete root.dataset.theme;
  else root.dataset.theme = name;
  dispatchEvent(new CustomEvent("theme"));
}

/** Colours of the tokens as the browser sees them now; a canvas knows no custom properties. */
export function colours(...names) {
  const probe = document.body.appendChild(document.createElement("i"));
  const found = names.map((name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return found;
}

/** Call `tell` when colours change, by the switch or by the system; returns how to stop. */
export function onTheme(tell) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  addEventListener("theme", tell);
  system.addEventListener("change", tell);
  return () => {
    removeEventListener("theme", tell);
    system.removeEventListener("change", tell);
  };
}
