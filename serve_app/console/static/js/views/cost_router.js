// What the router saved: the same tokens at another model's price, less what they cost.

const MILLION = 1e6;

/** Chat models that have a price, the dearest first. */
export function priced(backends) {
  const found = backends.flatMap((backend) =>
    backend.models
      .filter((model) => model.kind === "chat" && model.price)
      .map((model) => ({ name: `${backend.name}/${model.id}`, price: model.price })),
  );
  return found.sort((a, b) => b.price.input + b.price.output - a.price.input - a.price.output);
}

/** Micro-USD that the router's choices cost less than the reference would have; null: unknown. */
export function routed(tiers, backends, reference) {
  const found = priced(backends).find((model) => model.name === reference);
  if (!found) return null;
  const chosen = tiers.filter((row) => row.tier !== "");
  if (!chosen.length) return null;
  const saved = chosen.map((row) => at(found.price, row) - row.cost_micro_usd);
  return saved.reduce((all, one) => all + one, 0);
}

function at(price, row) {
  const known = price.cached_input ?? price.input;
  const fresh = row.prompt_tokens - row.provider_cached_tokens;
  const input = fresh * price.input + row.provider_cached_tokens * known;
  return Math.round((input + row.completion_tokens * price.output) / MILLION);
}
