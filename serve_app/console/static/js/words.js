// What we say when a call fails: our own words where we know the cause, else the gateway's.

import { t, word } from "./i18n.js";

export function explain(problem) {
  const own = word(`problem.${problem.code}`, "");
  if (own) return own.replace("{seconds}", String(Math.ceil(problem.retryAfterS || 1)));
  return problem.message || t("problem.unknown");
}
