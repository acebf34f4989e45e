// Words of the page: one dictionary a language, the chosen one kept in the browser.

import Alpine from "../vendor/alpine/alpine-csp.esm.min.js";
import { kept, keep } from "./kept.js";

export const LANGUAGES = { en: "English", zh: "中文" };
const HERE = new URL("../i18n/", import.meta.url);

const state = Alpine.reactive({ language: "", words: {} });
const fetched = {};

export function language() {
  return state.language;
}

/** Text for a key, with `{name}` replaced by `values.name`; the key itself where there is none. */
export function t(key, values) {
  const text = state.words[key] ?? key;
  if (!values) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** Text for a key that a server made up, such as an outcome; `otherwise` where we have no word. */
export function word(key, otherwise) {
  return state.words[key] ?? otherwise;
}

/** Speak a language; it is loaded where it is new. */
export async function speak(name) {
  fetched[name] ??= fetch(new URL(`${name}.json`, HERE)).then((answer) => answer.json());
  state.words = await fetched[name];
  state.language = name;
  document.documentElement.lang = name === "zh" ? "zh-CN" : name;
}

/** Speak a language from now on, at the reader's wish. */
export async function choose(name) {
  keep("language", name);
  await speak(name);
}

/** The language of the reader: chosen before, else the gateway's, the browser's, English. */
export function preferred(configured) {
  const chosen = [kept("language"), configured].find((name) => name in LANGUAGES);
  if (chosen) return chosen;
  const known = navigator.languages.map((name) => name.slice(0, 2).toLowerCase());
  return known.find((name) => name in LANGUAGES) ?? "en";
}

/** `x-t="key"` fills an element, `x-t:aria-label="key"` an attribute of it. */
export function teach() {
  Alpine.directive("t", (element, { value, expression }, { effect }) => {
    effect(() => {
      if (value) element.setAttribute(value, t(expression));
      else element.textContent = t(expression);
    });
  });
  Alpine.magic("t", () => t);
  Alpine.magic("word", () => word);
}
