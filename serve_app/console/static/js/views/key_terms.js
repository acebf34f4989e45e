// What the form for a new key holds, and the body that it becomes.

const RATES = ["requests_per_minute", "tokens_per_minute", "parallel"];

export function blankTerms() {
  return {
    tenant: "",
    user: "",
    team: "",
    models: "",
    note: "",
    expires: "",
    priority: "interactive",
    requests_per_minute: "",
    tokens_per_minute: "",
    parallel: "",
    budget_day: "",
    budget_month: "",
  };
}

/** The body of `POST /v1/keys`: only what was filled in. */
export function termsOf(form) {
  const body = { tenant: form.tenant.trim(), priority: form.priority };
  for (const name of ["user", "team", "note"]) {
    if (form[name].trim()) body[name] = form[name].trim();
  }
  const models = form.models.split(/[\s,]+/).filter(Boolean);
  if (models.length) body.models = models;
  if (form.expires) body.expires_at = Math.floor(new Date(form.expires).getTime() / 1000);
  const limits = limitsOf(form);
  if (Object.keys(limits).length) body.limits = limits;
  return body;
}

function limitsOf(form) {
  const limits = {};
  for (const name of RATES) if (form[name]) limits[name] = Number(form[name]);
  const budget = {};
  if (form.budget_day) budget.day = Number(form.budget_day);
  if (form.budget_month) budget.month = Number(form.budget_month);
  if (Object.keys(budget).length) limits.budget = budget;
  return limits;
}
