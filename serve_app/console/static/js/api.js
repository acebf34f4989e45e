// Calls of the gateway: JSON in, JSON out, the session's token on all that changes something.

/** Why a call did not do what it should. `message` is the gateway's own. */
export class Problem extends Error {
  constructor(status, code, message, retryAfterS) {
    super(message);
    Object.assign(this, { status, code, retryAfterS });
  }
}

const told = { csrf: () => "", refused: () => {} };
let others = new AbortController();

/** Say where the session's token is, and who is told when the gateway no longer knows us. */
export function introduce({ csrf, refused }) {
  Object.assign(told, { csrf, refused });
}

/** The answer to a call; one that is not 2xx becomes a `Problem`. */
export async function call(method, path, { query, body, signal, headers } = {}) {
  return made(method, path, { query, body, headers, signal: either(signal, others.signal) });
}

/** A call as the only one: those under way are given up, and none begins before it is answered. */
export async function alone(method, path, body) {
  others.abort();
  try {
    return await (await made(method, path, { body })).json();
  } finally {
    others = new AbortController();
  }
}

async function made(method, path, { query, body, signal, headers = {} }) {
  const terms = new URLSearchParams(filled(query)).toString();
  const sent = { accept: "application/json", ...headers };
  if (body !== undefined) sent["content-type"] = "application/json";
  if (method !== "GET") sent["x-serve-app-csrf"] = told.csrf();
  const answer = await fetched(terms ? `${path}?${terms}` : path, {
    method,
    signal,
    headers: sent,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    // What "no-store" adds to a request would have the gateway pass by its own cache.
    cache: method === "GET" ? "no-store" : "default",
  });
  if (answer.ok) return answer;
  const problem = await read(answer);
  if (problem.status === 401 || problem.code === "admin_required") told.refused();
  throw problem;
}

export async function get(path, query, signal) {
  return (await call("GET", path, { query, signal })).json();
}

export async function send(method, path, body, query) {
  return (await call(method, path, { body, query })).json();
}

/** Whether a call was given up by us. */
export function isAbort(problem) {
  return problem?.name === "AbortError";
}

function either(signal, other) {
  return signal ? AbortSignal.any([signal, other]) : other;
}

async function fetched(path, options) {
  try {
    return await fetch(path, options);
  } catch (problem) {
    if (isAbort(problem)) throw problem;
    throw new Problem(0, "unreachable", "", 0);
  }
}

async function read(answer) {
  const after = Number(answer.headers.get("retry-after")) || 0;
  try {
    const { error } = await answer.json();
    return new Problem(answer.status, error.code ?? "", error.message ?? "", after);
  } catch {
    return new Problem(answer.status, "", `HTTP ${answer.status}`, after);
  }
}

function filled(query = {}) {
  return Object.entries(query).filter(([, value]) => value !== "" && value != null);
}
