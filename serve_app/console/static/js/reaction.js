// Effects outside of templates.

import Alpine from "../vendor/alpine/alpine-csp.esm.min.js";

/** Do something now, and again whenever what it read has changed. */
export function effect(work) {
  return Alpine.effect(work);
}
