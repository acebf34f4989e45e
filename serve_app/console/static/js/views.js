// Which view the address names, and its page: `#/costs` shows views/costs.html.

import Alpine from "../vendor/alpine/alpine-csp.esm.min.js";

export const VIEWS = ["live", "playground", "costs", "keys", "cache", "tasks", "alerts"];
const HERE = new URL("../views/", import.meta.url);
const pages = {};

const place = Alpine.reactive({ view: "", query: {} });

export function where() {
  return place;
}

/** Follow the address from now on. */
export function follow() {
  addEventListener("hashchange", read);
  read();
}

/** Go to a view, with what it should show first. */
export function go(view, query = {}) {
  const terms = new URLSearchParams(query).toString();
  location.hash = `#/${view}${terms ? `?${terms}` : ""}`;
}

function read() {
  const [path, terms = ""] = location.hash.replace(/^#\/?/, "").split("?");
  place.view = VIEWS.includes(path) ? path : VIEWS[0];
  place.query = Object.fromEntries(new URLSearchParams(terms));
}

/** The page of a view, as elements. It is our own file, of our own origin. */
export async function page(view) {
  pages[view] ??= fetch(new URL(`${view}.html`, HERE)).then((answer) => {
    if (!answer.ok) throw new Error(`${view}.html: ${answer.status}`);
    return answer.text();
  });
  try {
    const parsed = new DOMParser().parseFromString(await pages[view], "text/html");
    return document.adoptNode(parsed.body.firstElementChild);
  } catch (problem) {
    delete pages[view];
    throw problem;
  }
}
