"""Every metric of the service, declared once; docs/metrics.md is written from it.

Names beginning with `gen_ai_` are OpenTelemetry's (semantic conventions for generative AI
metrics), as Prometheus writes them; their buckets are those that the conventions advise.
"""

from __future__ import annotations

from typing import Final

from serve_app.observe.metric import SECOND, Joined, Metric

_OF_MODEL: Final = ("backend", "model")
_LATENCY_S: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_STAGE_S: Final = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
                   2.5, 5.0, 10.0, 30.0)  # fmt: skip
_GEN_AI: Final = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_response_model")
_GEN_AI_S: Final = tuple(0.01 * 2**n for n in range(14))
_FIRST_TOKEN_S: Final = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0,
                         2.5, 5.0, 7.5, 10.0)  # fmt: skip
_TOKEN_S: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_TOKENS: Final = tuple(float(4**n) for n in range(14))


def _counter(name: str, what: str, *labels: str, by_tenant: bool = False) -> Metric:
    return Metric(f"serve_app_{name}_total", "counter", what, labels, by_tenant=by_tenant)


def _seconds(name: str, what: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Metric:
    return Metric(name, "histogram", what, labels, buckets, unit=SECOND)


def _gauge(name: str, what: str, *labels: str, joined: Joined = "max") -> Metric:
    return Metric(f"serve_app_{name}", "gauge", what, labels, joined=joined)


REQUESTS = _counter("requests", "Requests, by HTTP status.", "route", "status", by_tenant=True)
ERRORS = _counter("errors", "Requests that ended in an error, by its code.", "route", "code")
TOKENS = _counter(
    "tokens",
    "Tokens of answers that models made; `cached` are those of the input that the provider had "
    "in its cache.",
    *_OF_MODEL,
    "direction",
    by_tenant=True,
)
COST = _counter("cost_micro_usd", "Cost in millionths of a US dollar, as in the ledger.",
                *_OF_MODEL, by_tenant=True)  # fmt: skip
SAVED = _counter("saved_micro_usd", "What answers of the cache cost when they were made.",
                 *_OF_MODEL)  # fmt: skip
CACHE_LOOKUPS = _counter("cache_lookups", "Lookups in the cache, by the level that answered.",
                         "level")  # fmt: skip
ATTEMPTS = _counter("attempts", "Calls of backends, by how they ended.", *_OF_MODEL, "outcome")
RETRIES = _counter(
    "retries", "Calls of a model after one that failed, for the same request.", *_OF_MODEL
)
STAGE_DECISIONS = _counter("stage_decisions", "What stages decided.", "stage", "decision")
LIMITS_REFUSED = _counter("limits_refused", "Requests refused by a limit or a budget, by the "
                          "error's code.", "code")  # fmt: skip
FINDINGS = _counter("filter_findings", "Matches of filter rules.", "rule", "action")
TOOL_CALLS = _counter("tool_calls", "Calls of tools that run here, by name or server.",
                      "tool", "outcome")  # fmt: skip
TURNS_REFUSED = _counter("turns_refused", "Calls that got no turn at a local model.",
                         "backend", "priority", "reason")  # fmt: skip
LOST = _counter("lost", "What was given up because a buffer was full or Redis away until the end.",
                "what")  # fmt: skip
RECORDS = _counter("records", "Usage records: written to the database, spooled to disk, lost.",
                   "what")  # fmt: skip
ALERTS_SENT = _counter("alerts_sent", "Messages about alerts, by what became of them.",
                       "channel", "outcome")  # fmt: skip

REQUEST_SECONDS = _seconds("serve_app_request_seconds", "Seconds from the request's first byte "
                           "to the answer's last.", ("route",), _LATENCY_S)  # fmt: skip
STAGE_SECONDS = _seconds("serve_app_stage_seconds", "Seconds that a stage took.",
                         ("stage",), _STAGE_S)  # fmt: skip
ATTEMPT_SECONDS = _seconds(
    "serve_app_attempt_seconds",
    "Seconds that a call of a backend took, up to the first event of its answer.",
    _OF_MODEL,
    _LATENCY_S,
)
GEN_AI_DURATION = _seconds("gen_ai_server_request_duration_seconds", "Seconds of a request that "
                           "a model answered.", _GEN_AI, _GEN_AI_S)  # fmt: skip
GEN_AI_FIRST_TOKEN = _seconds("gen_ai_server_time_to_first_token_seconds", "Seconds to the first "
                              "content of a stream.", _GEN_AI, _FIRST_TOKEN_S)  # fmt: skip
GEN_AI_PER_TOKEN = _seconds("gen_ai_server_time_per_output_token_seconds", "Seconds per token of "
                            "a stream after its first.", _GEN_AI, _TOKEN_S)  # fmt: skip
GEN_AI_TOKENS = Metric("gen_ai_client_token_usage", "histogram", "Tokens of a request and of its "
                       "answer.", (*_GEN_AI, "gen_ai_token_type"), _TOKENS)  # fmt: skip

RUNNING = _gauge("running_requests", "Requests being answered.", joined="sum")
REPLICAS = _gauge(
    "replicas",
    "Processes of a deployment that are there (`up`), and how many Ray Serve wants (`wanted`).",
    "deployment",
    "state",
    joined="sum",
)
BACKEND_STATE = _gauge(
    "backend_state",
    "1 while a model rests behind its open breaker, while it is away, while the provider refuses "
    "the key.",
    *_OF_MODEL,
    "state",
)
BACKEND_CALLS = _gauge("backend_calls", "Calls under way at a backend's model.", *_OF_MODEL)
TURNS_RUNNING = _gauge("turns_running", "Calls that have a turn at a local model.", "backend",
                       joined="sum")  # fmt: skip
TURNS_WAITING = _gauge("turns_waiting", "Calls that wait for a turn at a local model.",
                       "backend", "priority", joined="sum")  # fmt: skip
CACHE_ENTRIES = _gauge(
    "cache_entries",
    "Answers in the processes' first level (`l1`), and questions found by likeness (`questions`).",
    "what",
    joined="sum",
)
CACHE_BYTES = _gauge("cache_bytes", "Bytes of the first level's answers.", joined="sum")
CACHE_VERIFIED = _gauge("cache_verified", "Would-be hits by likeness that were compared.")
CACHE_WRONG = _gauge("cache_wrong_share", "Estimated share of wrong hits by likeness, with its "
                     "95 % interval.", "bound")  # fmt: skip
TASKS = _gauge("tasks", "Background tasks.", "priority", "state")
TASKS_OLDEST = _gauge("tasks_oldest_seconds", "Age of the oldest task that waits.")
TASKS_HERE = _gauge("tasks_here", "Background tasks under way.", joined="sum")
LOOP_LAG = _gauge("event_loop_lag_seconds", "How late the slowest process's event loop was, at "
                  "worst, in the last seconds.")  # fmt: skip
REDIS_UP = _gauge("redis_up", "1 while Redis answers every process.", joined="min")
DRAINING = _gauge("draining_seconds", "How long a process has been draining; 0: none is.")
BUDGET_USED = _gauge("budget_used_ratio", "Share of a budget that is used, of budgets at or above "
                     "their soft mark.", "scope", "name", "period")  # fmt: skip
LOCAL_KV = _gauge("local_kv_used_ratio", "Share of a local model's KV cache in use.", "backend")
LOCAL_QUEUE = _gauge("local_queue", "Requests that wait inside a local model's engine.", "backend")
RECORDS_WAITING = _gauge("records_waiting", "Usage records on their way to the database.",
                         joined="sum")  # fmt: skip
ALERTS_FIRING = _gauge("alerts_firing", "1 while an alert fires.", "alert", "severity")
COMPLETE = _gauge("metrics_complete", "1: the figures are those of the whole service; 0: Redis is "
                  "away, and they are what the answering process knows.", joined="min")  # fmt: skip

METRICS: Final[dict[str, Metric]] = {
    metric.name: metric for metric in list(globals().values()) if isinstance(metric, Metric)
}
"""All of them by name."""
