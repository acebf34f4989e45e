// The trail of a request: fetched when it is there, made into the bars of a waterfall.

import { get } from "./api.js";
import { money, seconds } from "./format.js";
import { t, word } from "./i18n.js";

const PATIENCE_S = 4;
const GOOD_TRIES = new Set(["answered", "hedged", "hedge_lost", "recovered", "cancelled"]);
const BAD = new Set(["failed", "refused", "blocked", "left", "interrupted", "error"]);
const TELLING = ["code", "rule", "status", "level", "source", "why"];

/** The trail of a request; it is written a moment after its end. */
export function trailOf(id) {
  return get(`/v1/trails/${encodeURIComponent(id)}`, { wait_s: PATIENCE_S });
}

/** Milliseconds from the beginning to the last thing known. */
export function span(trail) {
  const ends = trail.notes.map((note) => note.began_ms + note.took_ms);
  return Math.max(trail.ms ?? 0, ...ends, 0.001);
}

/** Bars: where each begins and how long it is, as shares of the whole, and what was decided. */
export function bars(trail) {
  const whole = span(trail);
  return trail.notes.map((note, index) => ({
    index,
    stage: word(`stage.${note.stage}`, note.stage),
    decision: word(`decision.${note.decision}`, note.decision),
    isBad: isBad(note),
    tone: note.stage,
    isRemark: note.took_ms === 0,
    from: Math.max(0, note.began_ms) / whole,
    share: note.took_ms / whole,
    took_ms: note.took_ms,
    began_ms: note.began_ms,
    says: says(note.facts),
    facts: facts(note.facts),
  }));
}

function isBad({ stage, decision }) {
  return BAD.has(decision) || (stage === "attempt" && !GOOD_TRIES.has(decision));
}

/** The few facts that tell most, for the line itself. */
function says(known) {
  const parts = [];
  if (known.backend) parts.push(known.model ? `${known.backend}/${known.model}` : known.backend);
  for (const name of TELLING) {
    if (known[name] !== undefined && known[name] !== "") parts.push(String(known[name]));
  }
  const [first] = known.plan?.candidates ?? [];
  if (first) parts.push(`${first.backend}/${first.model}`, first.reason);
  return parts.join(" · ");
}

function facts(known) {
  return Object.entries(known).flatMap(([name, value]) =>
    name === "plan" && value ? planned(value) : [{ name, text: text(value) }],
  );
}

/** A router's plan: who would be asked, in which order and why, and who would not. */
function planned({ candidates = [], excluded = [], ...rest }) {
  const lines = candidates.map((one, at) => ({
    name: t("trail.choice", { number: at + 1 }),
    text: [`${one.backend}/${one.model}`, one.reason, ...expected(one)].join(" · "),
  }));
  const others = excluded.map((one) => ({
    name: t("trail.excluded"),
    text: [[one.backend, one.model].filter(Boolean).join("/"), one.reason].join(" · "),
  }));
  const said = Object.entries(rest).map(([name, value]) => ({ name, text: text(value) }));
  return [...lines, ...others, ...said];
}

function expected({ cost_micro_usd: cost, first_token_s: first }) {
  const found = [];
  if (cost !== null && cost !== undefined) found.push(money(cost));
  if (first !== null && first !== undefined) found.push(seconds(first));
  return found;
}

function text(value) {
  if (value === null || value === undefined) return "–";
  return typeof value === "object" ? JSON.stringify(value, null, 1) : String(value);
}
