// Who is logged in, and what the gateway has to offer them.

import Alpine from "../vendor/alpine/alpine-csp.esm.min.js";
import { alone, get, introduce, send } from "./api.js";

const NOBODY = { role: null, open: false, login: true, csrf: "", expires_at: 0, version: "" };
const NOTHING = { models: [], backends: [], features: {}, routes: [], tenants: [], profile: "" };

export const session = Alpine.reactive({ ...NOBODY, known: false, language: "auto" });
export const overview = Alpine.reactive({ ...NOTHING });

introduce({ csrf: () => session.csrf, refused: () => learn().catch(() => {}) });

export const isIn = () => session.open || session.role !== null;
export const mayChange = () => session.open || session.role === "admin";
export const has = (route) => overview.routes.includes(route);

/** Ask the gateway who we are. */
export async function learn() {
  take(await get("/console/api/session"));
}

export async function enter(key) {
  take(await send("POST", "/console/api/login", { key }));
}

/** Log out. What the views still ask would be refused from here on. */
export async function leave() {
  take(await alone("POST", "/console/api/logout", {}));
  Object.assign(overview, NOTHING);
}

/** Ask what there is: models, backends, tenants, routes. */
export async function look() {
  Object.assign(overview, await get("/console/api/overview"));
}

function take(answer) {
  Object.assign(session, NOBODY, answer, { known: true });
}
