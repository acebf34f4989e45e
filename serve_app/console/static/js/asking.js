// One chat completion for the playground: sent, read as it comes, measured.

import { Problem, call } from "./api.js";
import { events } from "./events.js";

const PATH = "/v1/chat/completions";
const NUMBERS = ["temperature", "top_p", "max_tokens", "seed"];

/** Ask, and fill `turn` (`text`, `thought`, `figures`) as the answer comes. */
export async function answer({ model, messages, settings, signal }, turn) {
  const began = performance.now();
  const body = bodyOf(model, messages, settings);
  const headers = settings.fresh ? { "cache-control": "no-cache" } : {};
  const got = await call("POST", PATH, { body, headers, signal }).catch((problem) => {
    turn.figures.request_id = problem.requestId ?? "";
    throw problem;
  });
  takeHeaders(got.headers, turn.figures);
  const isStream = got.headers.get("content-type")?.startsWith("text/event-stream");
  if (isStream) await readStream(got.body, turn, began);
  else takeWhole(await got.json(), turn);
  turn.figures.total_ms = performance.now() - began;
}

function bodyOf(model, messages, settings) {
  const system = settings.system.trim();
  const body = {
    model,
    messages: system ? [{ role: "system", content: system }, ...messages] : messages,
    stream: settings.stream,
  };
  if (settings.stream) body.stream_options = { include_usage: true };
  for (const name of NUMBERS) {
    if (settings[name] !== "" && settings[name] !== null) body[name] = Number(settings[name]);
  }
  return body;
}

function takeHeaders(headers, figures) {
  figures.request_id = headers.get("x-request-id") ?? "";
  figures.backend = headers.get("x-serve-app-backend") ?? "";
  figures.model = headers.get("x-serve-app-model") ?? "";
  figures.cache = headers.get("x-serve-app-cache") ?? "";
  figures.attempts = Number(headers.get("x-serve-app-attempts") ?? 1);
  figures.fingerprint = headers.get("x-serve-app-fingerprint") ?? "";
  figures.filter = headers.get("x-serve-app-filter") ?? "";
  const cost = headers.get("x-serve-app-cost-usd");
  if (cost !== null) figures.cost_micro_usd = Math.round(Number(cost) * 1e6);
}

async function readStream(body, turn, began) {
  let isWhole = false;
  for await (const { data } of events(body)) {
    if (data === "[DONE]") {
      isWhole = true; // Read on: to leave before the end looks like giving up.
      continue;
    }
    const piece = JSON.parse(data);
    if (piece.error) throw new Problem(502, piece.error.code ?? "", piece.error.message, 0);
    takePiece(piece, turn, began);
  }
  if (!isWhole) throw new Problem(0, "broke_off", "", 0);
}

function takePiece(piece, turn, began) {
  const [choice] = piece.choices ?? [];
  const delta = choice?.delta ?? {};
  if (delta.content || delta.reasoning_content || delta.tool_calls) {
    turn.figures.first_ms ??= performance.now() - began;
  }
  turn.text += delta.content ?? "";
  turn.thought += delta.reasoning_content ?? "";
  for (const tool of delta.tool_calls ?? []) turn.text += calling(tool);
  if (choice?.finish_reason) turn.figures.finish = choice.finish_reason;
  if (piece.usage) takeUsage(piece.usage, turn.figures);
}

function takeWhole(reply, turn) {
  const [choice] = reply.choices;
  turn.text = choice.message.content ?? "";
  turn.thought = choice.message.reasoning_content ?? "";
  for (const tool of choice.message.tool_calls ?? []) turn.text += calling(tool);
  turn.figures.finish = choice.finish_reason;
  if (reply.usage) takeUsage(reply.usage, turn.figures);
}

function calling(tool) {
  const { name = "", arguments: given = "" } = tool.function ?? {};
  return name ? `\n${name}(${given}` : given;
}

function takeUsage(usage, figures) {
  figures.input = usage.prompt_tokens;
  figures.output = usage.completion_tokens;
  figures.cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
}
