// How the gateway is at this moment, for the bar above every view; asked every ten seconds.

import Alpine from "../vendor/alpine/alpine-csp.esm.min.js";
import { get } from "./api.js";
import { has, isIn } from "./session.js";

const EVERY_MS = 10_000;
const WELL = ["ok", "off"];

export const status = Alpine.reactive({ backends: [], firing: 0, reached: true, asked: false });

/** Backends' models that cannot be asked. */
export const unwell = () => status.backends.filter((one) => !WELL.includes(one.state));

export function watch() {
  setInterval(() => {
    if (isIn() && !document.hidden) ask();
  }, EVERY_MS);
}

/** Ask for the states of backends, which are cheap to tell. */
export async function askStates() {
  try {
    status.backends = (await get("/console/api/backends")).data;
    status.reached = true;
  } catch (problem) {
    status.reached = problem.status !== 0;
  }
  status.asked = true;
}

/** Ask for everything that the bar shows. */
export async function ask() {
  await askStates();
  try {
    if (has("/v1/alerts")) status.firing = (await get("/v1/alerts")).firing.length;
  } catch {
    status.firing = 0; // The view of alerts says why.
  }
}
