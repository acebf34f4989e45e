"""The models that run here: who waits, how full the engine is, and what it yields."""

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
from benchmarks.observability.terms import quantile, rate, ratio

CHOSEN = 'backend=~"$backend"'
ATTEMPTS = "serve_app_attempts_total"
TOKENS = "serve_app_tokens_total"


def dashboard() -> Dashboard:
    """Turns, the engine's queue and KV cache, and the yield, for the chosen local backends."""
    says = "The models that run on our own machines."
    chosen = {"backend": "label_values(serve_app_turns_running, backend)"}
    return page("local model", says, {"": _now(), "Turns": _turns(), "Engine": _engine()}, chosen)


def _sum(gauge: str) -> str:
    return f"sum({gauge}{{{CHOSEN}}})"


def _now() -> list[Panel]:
    kv = f"max(serve_app_local_kv_used_ratio{{{CHOSEN}}})"
    wait = [(10, "orange"), (50, "red")]
    refused = rate("serve_app_turns_refused_total", where=CHOSEN)
    return [
        number("Running", _sum("serve_app_turns_running"), COUNT, says="Calls that have a turn."),
        number(
            "Waiting",
            _sum("serve_app_turns_waiting"),
            COUNT,
            says="Calls that wait for a turn.",
            marks=wait,
        ),
        number(
            "Queue in the engine",
            _sum("serve_app_local_queue"),
            COUNT,
            says="Calls that the engine has taken but not begun.",
            marks=wait,
        ),
        number(
            "KV cache used",
            kv,
            SHARE,
            says="Of the engine's memory for running calls. Near 100 %: it sets calls back.",
            marks=[(0.8, "orange"), (0.95, "red")],
        ),
        number(
            "Refused",
            refused,
            EACH_SECOND,
            says="Calls that got no turn in time.",
            marks=[(0.01, "red")],
        ),
        number(
            "Output",
            rate(TOKENS, where=f'{CHOSEN}, direction="output"'),
            TOKENS_A_SECOND,
            says="Tokens a second.",
            base="blue",
        ),
    ]


def _turns() -> list[Panel]:
    refused = rate("serve_app_turns_refused_total", "priority, reason", CHOSEN)
    return [
        lines(
            "Running",
            {"{{backend}}": f"sum by (backend) (serve_app_turns_running{{{CHOSEN}}})"},
            COUNT,
            says="Calls that have a turn, of all replicas.",
        ),
        lines(
            "Waiting by priority",
            {"{{backend}} {{priority}}": f"serve_app_turns_waiting{{{CHOSEN}}}"},
            COUNT,
            says="Interactive calls go first.",
            stacked=True,
        ),
        lines(
            "Refused",
            {"{{priority}} {{reason}}": refused},
            EACH_SECOND,
            says="Calls that got no turn, and why.",
            stacked=True,
        ),
    ]


def _engine() -> list[Panel]:
    output = f'{CHOSEN}, direction="output"'
    failed = f'{CHOSEN}, outcome=~"transient|candidate|interrupted"'
    return [
        lines(
            "KV cache used",
            {"{{backend}}": f"serve_app_local_kv_used_ratio{{{CHOSEN}}}"},
            SHARE,
            says="Of the engine's memory for running calls; the fullest replica.",
            most=1.0,
        ),
        lines(
            "Queue in the engine",
            {"{{backend}}": f"serve_app_local_queue{{{CHOSEN}}}"},
            COUNT,
            says="Calls that the engine has taken but not begun.",
        ),
        lines(
            "Calls under way",
            {"{{model}}": f"serve_app_backend_calls{{{CHOSEN}}}"},
            COUNT,
            says="Calls at each model.",
        ),
        lines(
            "Tokens by direction",
            {"{{direction}}": rate(TOKENS, "direction", CHOSEN)},
            TOKENS_A_SECOND,
            says="Tokens a second; `cached`: of the input, what the engine had already read.",
        ),
        lines(
            "Output tokens a running call",
            {
                "{{backend}}": f"{rate(TOKENS, 'backend', output)} / "
                f"(sum by (backend) (serve_app_turns_running{{{CHOSEN}}}) > 0)"
            },
            TOKENS_A_SECOND,
            says="Tokens a second that one caller sees. It falls as more calls share the engine.",
        ),
        lines(
            "Input already read",
            {
                "{{backend}}": ratio(
                    rate(TOKENS, "backend", f'{CHOSEN}, direction="cached"'),
                    rate(TOKENS, "backend", f'{CHOSEN}, direction="input"'),
                )
            },
            SHARE,
            says="Share of input tokens that the engine's prefix cache had.",
            most=1.0,
        ),
        lines(
            "Attempt time",
            {
                f"p{q * 100:g} {{{{backend}}}}": quantile(
                    q, "serve_app_attempt_seconds", "backend", CHOSEN
                )
                for q in (0.5, 0.95)
            },
            SECONDS,
            says="Up to the first event of the answer, waiting for the turn included.",
        ),
        lines(
            "Failed attempts",
            {"{{outcome}}": rate(ATTEMPTS, "outcome", failed)},
            EACH_SECOND,
            says="What the engine did not answer.",
            stacked=True,
        ),
        states(
            "There",
            {"{{backend}} {{model}}": f'serve_app_backend_state{{{CHOSEN}, state="away"}}'},
            {"0": ("there", "green"), "1": ("away", "red")},
            says="Whether a replica of the model takes calls.",
        ),
    ]
