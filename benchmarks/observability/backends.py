"""How the backends do: who answers, how fast, and who is out."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from benchmarks.observability.page import page
from benchmarks.observability.panels import (
    COUNT,
    EACH_SECOND,
    SECONDS,
    SHARE,
    TOKENS_A_SECOND,
    Panel,
    lines,
    number,
    states,
)
from benchmarks.observability.terms import mean, quantile, rate, ratio

ATTEMPTS = "serve_app_attempts_total"
FAILED = 'outcome=~"transient|candidate|caller|content|interrupted"'
ASKED = 'outcome!~"skipped|hedged|hedge_lost|cancelled"'
CHOSEN = 'backend=~"$backend"'
OUT = f"max by (backend, model) (serve_app_backend_state{{{CHOSEN}}})"
PER_TOKEN = "gen_ai_server_time_per_output_token_seconds"


def dashboard() -> Dashboard:
    """Outcomes, speed, breakers and what was done about failures, for the chosen backends."""
    rows = {
        "": _now(),
        "Outcomes": _outcomes(),
        "Speed": _speed(),
        "Who is out": _state(),
    }
    says = "Who answers, how fast, and who is out."
    chosen = {"backend": f"label_values({ATTEMPTS}, backend)"}
    return page("backends", says, rows, chosen)


def _of(*parts: str) -> str:
    return ", ".join((CHOSEN, *parts))


def _share_failed(by: str = "") -> str:
    return ratio(rate(ATTEMPTS, by, _of(FAILED)), rate(ATTEMPTS, by, _of(ASKED)))


def _now() -> list[Panel]:
    return [
        number(
            "Attempts", rate(ATTEMPTS, where=_of(ASKED)), EACH_SECOND, says="Calls of backends."
        ),
        number(
            "Failed attempts",
            _share_failed(),
            SHARE,
            says="Most never reach a caller: the next candidate answers.",
            marks=[(0.05, "orange"), (0.2, "red")],
            decimals=2,
        ),
        number(
            "Attempt p95",
            quantile(0.95, "serve_app_attempt_seconds", where=CHOSEN),
            SECONDS,
            says="95 of 100 attempts brought their first event sooner.",
        ),
        number(
            "Models out",
            f"count({OUT} > 0) or vector(0)",
            COUNT,
            says="Models whose breaker is open, that are away, or whose key is refused.",
            marks=[(1, "red")],
        ),
        number(
            "Retries",
            rate("serve_app_retries_total", where=CHOSEN),
            EACH_SECOND,
            says="Attempts beyond a candidate's first.",
            base="blue",
        ),
        number(
            "Under way",
            f"sum(serve_app_backend_calls{{{CHOSEN}}})",
            COUNT,
            says="Calls under way at the moment.",
            base="blue",
        ),
    ]


def _outcomes() -> list[Panel]:
    return [
        lines(
            "Attempts by outcome",
            {"{{outcome}}": rate(ATTEMPTS, "outcome", CHOSEN)},
            EACH_SECOND,
            says="`transient`: may pass; `candidate`: its key, model or context will not do.",
            stacked=True,
        ),
        lines(
            "Attempts by backend",
            {"{{backend}}": rate(ATTEMPTS, "backend", _of(ASKED))},
            EACH_SECOND,
            says="Where the calls go.",
            stacked=True,
        ),
        lines(
            "Failed by backend",
            {"{{backend}}": _share_failed("backend")},
            SHARE,
            says="Share of attempts that failed.",
            most=1.0,
        ),
        lines(
            "Retries by backend",
            {"{{backend}}": rate("serve_app_retries_total", "backend", CHOSEN)},
            EACH_SECOND,
            says="Attempts beyond a candidate's first.",
        ),
        lines(
            "Hedges and recoveries",
            {
                "{{outcome}}": rate(
                    ATTEMPTS, "outcome", _of('outcome=~"hedged|hedge_lost|recovered|interrupted"')
                )
            },
            EACH_SECOND,
            says="Second attempts beside a slow one; streams that broke off, and that went on.",
        ),
        lines(
            "Calls under way",
            {"{{backend}} {{model}}": f"serve_app_backend_calls{{{CHOSEN}}}"},
            COUNT,
            says="Calls at each model, of all replicas.",
        ),
    ]


def _speed() -> list[Panel]:
    by_model = "gen_ai_response_model"
    model = "{{gen_ai_response_model}}"
    return [
        lines(
            "Attempt p95 by backend",
            {"{{backend}}": quantile(0.95, "serve_app_attempt_seconds", "backend", CHOSEN)},
            SECONDS,
            says="Up to the first event of the answer.",
        ),
        lines(
            "First token p95 by model",
            {model: quantile(0.95, "gen_ai_server_time_to_first_token_seconds", by_model)},
            SECONDS,
            says="How long callers look at nothing.",
        ),
        lines(
            "Time per output token",
            {model: mean(PER_TOKEN, by_model)},
            SECONDS,
            says="Mean time between two tokens of a stream.",
        ),
        lines(
            "Whole calls p95 by provider",
            {
                "{{gen_ai_provider_name}}": quantile(
                    0.95, "gen_ai_server_request_duration_seconds", "gen_ai_provider_name"
                )
            },
            SECONDS,
            says="By the names of OpenTelemetry's GenAI conventions.",
        ),
        lines(
            "Output tokens by model",
            {"{{model}}": rate("serve_app_tokens_total", "model", _of('direction="output"'))},
            TOKENS_A_SECOND,
            says="Tokens a second.",
            stacked=True,
        ),
        lines(
            "Tokens a call",
            {
                "{{gen_ai_token_type}}": mean("gen_ai_client_token_usage", "gen_ai_token_type"),
            },
            COUNT,
            says="Mean tokens of a call, in and out.",
        ),
    ]


def _state() -> list[Panel]:
    def out(state: str) -> str:
        return f'serve_app_backend_state{{{_of(f"""state="{state}" """.strip())}}}'

    named = "{{backend}} {{model}}"
    return [
        states(
            "Breakers",
            {named: out("open")},
            {"0": ("closed", "green"), "1": ("open", "red")},
            says="An open breaker sends the traffic to the next candidate until a probe succeeds.",
        ),
        states(
            "Away",
            {named: out("away")},
            {"0": ("there", "green"), "1": ("away", "orange")},
            says="Not up, or no replica of the local model.",
        ),
        states(
            "Keys",
            {named: out("key_refused")},
            {"0": ("good", "green"), "1": ("refused", "red")},
            says="Every key of the provider was refused.",
        ),
    ]
