"""The made-up day in the service's own metrics: how fast each counter grows, what each gauge is."""

from __future__ import annotations

from math import sin
from typing import NamedTuple

from benchmarks.observability.evening import (
    LEVELS,
    MODELS,
    ROUTES,
    TENANTS,
    PerSecond,
    Values,
    calls,
    failing,
    failures,
    out,
    requests,
    strain,
    waiting,
    within,
)


class Spread(NamedTuple):
    """What a histogram gets: so many values a second, log-normal around a median."""

    rate: float
    median: float
    sigma: float = 0.6


def counters(t: float) -> dict[str, PerSecond]:
    """How much each counter grows a second."""
    made = {f"serve_app_{name}_total": grows for name, grows in _traffic(t).items()}
    made |= {f"serve_app_{name}_total": grows for name, grows in _models(t).items()}
    return made | {f"serve_app_{name}_total": grows for name, grows in _beside(t).items()}


def _traffic(t: float) -> dict[str, PerSecond]:
    total, failed = requests(t), failing(t)
    statuses = {"200": 0.972 - failed, "429": 0.014, "400": 0.009, "499": 0.005}
    statuses |= {"502": failed * 0.8, "503": failed * 0.2}
    codes = {"all_backends_failed": failed * 0.8, "overloaded": failed * 0.2}
    codes |= {"rate_limit_exceeded": 0.011, "budget_exceeded": 0.003, "invalid_request": 0.006}
    return {
        "requests": {
            (route, status, tenant): total * of_route * of_status * of_tenant
            for route, of_route in ROUTES.items()
            for status, of_status in statuses.items()
            for tenant, of_tenant in TENANTS.items()
        },
        "errors": {
            (route, code): total * of_route * share
            for route, of_route in ROUTES.items()
            for code, share in codes.items()
        },
        "cache_lookups": {(level,): total * 0.9 * share for level, share in LEVELS.items()},
        "limits_refused": {
            ("rate_limit_exceeded",): total * 0.011,
            ("budget_exceeded",): total * (0.003 + 0.02 * within(t, -25, 0)),
        },
    }


def _models(t: float) -> dict[str, PerSecond]:
    tokens: PerSecond = {}
    cost: PerSecond = {}
    saved: PerSecond = {}
    attempts: PerSecond = {}
    retries: PerSecond = {}
    for model, rate in calls(t).items():
        of = (model.backend, model.name)
        for tenant, share in TENANTS.items():
            for direction, count in zip(("input", "output", "cached"), model.tokens, strict=True):
                tokens[*of, direction, tenant] = rate * share * count
            cost[*of, tenant] = rate * share * model.micro_usd
        saved[of] = requests(t) * model.share * 0.28 * model.micro_usd
        attempts[*of, "answered"] = rate
        attempts[*of, "hedged"] = attempts[*of, "hedge_lost"] = 0.01 * rate
        attempts[*of, "recovered"] = 0.002 * rate
        for (outcome,), fails in failures(model, t).items():
            attempts[*of, outcome] = fails
        retries[of] = sum(failures(model, t).values()) * 0.7
    return {
        "tokens": tokens,
        "cost_micro_usd": cost,
        "saved_micro_usd": saved,
        "attempts": attempts,
        "retries": retries,
    }


def _beside(t: float) -> dict[str, PerSecond]:
    total, misses = requests(t), requests(t) * LEVELS["miss"]
    away = within(t, -42, -39)
    return {
        "stage_decisions": {
            ("admission", "admitted"): total * 0.985,
            ("admission", "refused"): total * 0.015,
            ("input_filter", "passed"): total * 0.95,
            ("input_filter", "changed"): total * 0.045,
            ("input_filter", "blocked"): total * 0.005,
            ("router", "economy"): misses * 0.7,
            ("router", "premium"): misses * 0.3,
            ("answer", "ok"): total * 0.97,
            ("output_filter", "passed"): misses * 0.98,
            ("output_filter", "changed"): misses * 0.02,
        },
        "filter_findings": {
            ("email", "redact"): total * 0.03,
            ("phone_number", "redact"): total * 0.012,
            ("api_key", "block"): total * 0.003,
            ("prompt_injection", "block"): total * 0.002,
        },
        "tool_calls": {
            ("search", "ok"): total * 0.04,
            ("search", "failed"): total * 0.001,
            ("calculator", "ok"): total * 0.02,
        },
        "turns_refused": {
            ("local", "batch", "timeout"): 0.25 * within(t, -104, -92),
            ("local", "interactive", "full"): 0.03 * within(t, -102, -96),
        },
        "lost": {("cache_fills",): 0.004 * away},
        "records": {
            ("written",): 0.0 if away else total,
            ("spooled",): total * away,
            ("lost",): 0.0,
        },
        "alerts_sent": {
            ("on-call", "sent"): sum(0.02 for begin in _ALARMS if within(t, begin, begin + 1)),
            ("on-call", "failed"): 0.02 * within(t, -42, -41),
        },
    }


_ALARMS = (-168, -145, -74, -61, -41, -38, -20)


def histograms(t: float) -> dict[str, dict[Values, Spread]]:
    """What each histogram gets."""
    slow, total = strain(t), requests(t)
    spreads: dict[str, dict[Values, Spread]] = {
        "serve_app_request_seconds": {
            (route,): Spread(total * share, (0.35 if "embed" in route else 1.1) * slow, 0.8)
            for route, share in ROUTES.items()
        },
        "serve_app_stage_seconds": {
            (stage,): Spread(total * share, median * (slow if stage == "answer" else 1), 0.5)
            for stage, (share, median) in _STAGES.items()
        },
        "serve_app_attempt_seconds": {},
        "gen_ai_server_request_duration_seconds": {},
        "gen_ai_server_time_to_first_token_seconds": {},
        "gen_ai_server_time_per_output_token_seconds": {},
        "gen_ai_client_token_usage": {},
    }
    for model, rate in calls(t).items():
        slower = slow * (1 + waiting(t) / 12 if model.backend == "local" else 1)
        of = ("chat", model.backend, model.name)
        whole = model.first_s + model.tokens[1] * model.token_s
        first = Spread(rate, model.first_s * slower, 0.5)
        spreads["serve_app_attempt_seconds"][of[1:]] = first
        spreads["gen_ai_server_time_to_first_token_seconds"][of] = first
        spreads["gen_ai_server_request_duration_seconds"][of] = Spread(rate, whole * slower)
        per_token = Spread(rate, model.token_s * slower, 0.3)
        spreads["gen_ai_server_time_per_output_token_seconds"][of] = per_token
        for kind, count in zip(("input", "output"), model.tokens, strict=False):
            spreads["gen_ai_client_token_usage"][*of, kind] = Spread(rate, count)
    return spreads


_STAGES = {
    "admission": (1.0, 0.0006),
    "conversation": (0.3, 0.0008),
    "input_filter": (1.0, 0.0004),
    "cache": (0.9, 0.0014),
    "router": (0.7, 0.0003),
    "attempt": (0.7, 0.55),
    "answer": (1.0, 0.9),
    "output_filter": (0.7, 0.0003),
    "ledger": (0.98, 0.0005),
}


def gauges(t: float) -> dict[str, dict[Values, float]]:
    """What each gauge is."""
    return {f"serve_app_{name}": values for name, values in (_house(t) | _backends(t)).items()}


def _house(t: float) -> dict[str, dict[Values, float]]:
    total, away = requests(t), within(t, -42, -39)
    wanted = 5 if total > 12 else 4 if total > 8 else 3
    there = 5 if requests(t - 3) > 12 else 4 if requests(t - 3) > 8 else 3
    firing = {
        ("BreakerOpen", "warning"): within(t, -168, -145),
        ("ErrorRateHigh", "critical"): within(t, -168, -162),
        ("ProviderKeyRefused", "critical"): within(t, -74, -61),
        ("RedisGone", "critical"): within(t, -41.5, -38),
        ("BudgetNearlySpent", "warning"): t > -55,
    }
    return {
        "running_requests": {(): round(total * 1.4 * strain(t))},
        "replicas": {("gateway", "up"): there, ("gateway", "wanted"): wanted},
        "cache_entries": {("l1",): 41_000 + 6 * t, ("questions",): 18_200 + 2.5 * t},
        "cache_bytes": {(): (310 + t / 20) * 2**20},
        "cache_verified": {(): 1210 + t // 4},
        "cache_wrong_share": {
            ("estimate",): 0.004 + 0.001 * sin(t / 90),
            ("low",): 0.002 + 0.0006 * sin(t / 90),
            ("high",): 0.009 + 0.0015 * sin(t / 90),
        },
        "tasks": {
            ("batch", "pending"): round(max(0, 240 - abs(t + 98) * 11)),
            ("interactive", "pending"): round(2 + 2 * sin(t / 7)),
            ("batch", "running"): 12 * within(t, -115, -85),
            ("interactive", "running"): round(3 + sin(t / 4)),
            ("interactive", "dead"): 1 if t > -160 else 0,
        },
        "tasks_oldest_seconds": {(): max(2.0, 380 - abs(t + 98) * 17)},
        "tasks_here": {(): round(3 + 12 * within(t, -115, -85))},
        "event_loop_lag_seconds": {(): 0.004 + 0.0006 * total + 0.03 * within(t, -170, -166)},
        "redis_up": {(): 0 if away else 1},
        "draining_seconds": {(): max(0.0, (t + 130) * 60) if within(t, -130, -128) else 0},
        "budget_used_ratio": {
            ("tenant", "acme", "day"): min(1.0, 0.93 + (t + 60) / 800),
            ("team", "research", "month"): 0.86 + t / 40_000,
            ("user", "mia", "day"): min(1.0, 0.97 + (t + 30) / 900),
        },
        "records_waiting": {(): round(4 + total / 2 + (t + 42) * 60 * total * away)},
        "alerts_firing": {alert: float(fires) for alert, fires in firing.items()},
        "metrics_complete": {(): 0 if away else 1},
    }


def _backends(t: float) -> dict[str, dict[Values, float]]:
    local = calls(t)[MODELS[-1]]
    queue = max(0.0, 9 - abs(t + 98) * 0.5)
    return {
        "backend_state": {
            (model.backend, model.name, state): float(out(model, t) == state)
            for model in MODELS
            for state in ("open", "away", "key_refused")
        },
        "backend_calls": {
            (model.backend, model.name): round(
                rate * (model.first_s + model.tokens[1] * model.token_s) * strain(t)
            )
            for model, rate in calls(t).items()
        },
        "turns_running": {("local",): min(24, round(local * 5))},
        "turns_waiting": {
            ("local", "interactive"): round(waiting(t) * 0.12),
            ("local", "batch"): round(waiting(t) * 0.88),
        },
        "local_kv_used_ratio": {("local",): min(0.98, 0.1 + local * 0.17 + queue * 0.02)},
        "local_queue": {("local",): round(queue)},
    }
