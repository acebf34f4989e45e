"""What is counted and shown, as scrapers read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_text

from serve_app.config.metrics_policy import MetricsPolicy
from serve_app.config.structure import RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.core.settlement import Settlement
from serve_app.core.trail import Note, Trail
from serve_app.observe import catalog, fields, reference
from serve_app.observe.fields import Fields
from serve_app.observe.metrics import Metrics, Shown
from serve_app.observe.observer import RequestEnd
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def made(store: Store, deployment: str = "Gateway", **policy: object) -> Metrics:
    rules = MetricsPolicy.model_validate(policy)
    return Metrics(store, SystemClock(), rules, deployment=deployment, providers={"b": "openai"})


@pytest.fixture
async def metrics(store: Store) -> AsyncIterator[Metrics]:
    made_here = made(store)
    yield made_here
    await made_here.close()


async def exposed(metrics: Metrics, accept: str = "") -> Values:
    text, content_type = await metrics.exposed(accept)
    read = read_open if "openmetrics" in content_type else read_text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in read(text.decode())
        for sample in family.samples
    }


def end(*notes: Note, **changes: object) -> RequestEnd:
    trail = Trail("req-1")
    trail.notes = list(notes)
    known = {"route": "/v1/chat/completions", "status": 200, "duration_s": 0.3, **changes}
    return RequestEnd(trail=trail, **known)  # type: ignore[arg-type]


def attempt(outcome: str, ms: float, model: str = "m") -> Note:
    return Note("attempt", outcome, 0, {"backend": "b", "model": model, "ms": ms}, ms)


async def test_a_stage_tells_what_it_decided_and_how_long_it_took(metrics: Metrics) -> None:
    metrics.take([end(Note("cache", "miss", 1, {}, 2.0), Note("stream", "skipped", 2, {}))], [])
    values = await exposed(metrics)
    cache = (("decision", "miss"), ("stage", "cache"))
    assert values["serve_app_stage_decisions_total", cache] == 1
    assert values["serve_app_stage_seconds_sum", (("stage", "cache"),)] == 0.002
    assert values["serve_app_stage_seconds_bucket", (("le", "0.001"), ("stage", "cache"))] == 0
    assert values["serve_app_stage_seconds_bucket", (("le", "0.0025"), ("stage", "cache"))] == 1
    assert values["serve_app_stage_seconds_bucket", (("le", "+Inf"), ("stage", "cache"))] == 1
    assert ("serve_app_stage_seconds_count", (("stage", "stream"),)) not in values


async def test_a_call_after_one_that_failed_at_the_same_model_is_a_retry(metrics: Metrics) -> None:
    tried = [attempt("transient", 100), attempt("transient", 80), attempt("answered", 50)]
    metrics.take([end(attempt("candidate", 9, "other"), attempt("skipped", 0), *tried)], [])
    values = await exposed(metrics)
    of = (("backend", "b"), ("model", "m"))
    assert values["serve_app_retries_total", of] == 2
    assert ("serve_app_retries_total", (("backend", "b"), ("model", "other"))) not in values
    assert values["serve_app_attempt_seconds_count", of] == 3
    assert values["serve_app_attempt_seconds_sum", of] == 0.23
    outcome = (*of, ("outcome", "skipped"))
    assert values["serve_app_attempts_total", outcome] == 1


async def test_findings_and_refusals_are_counted_by_what_they_are(metrics: Metrics) -> None:
    finding = Note("input_filter", "redact", 0, {"rule": "mail", "count": 3})
    refused = [
        end(Note("admission", "refused", 0, {"code": code}, 0.1), status=429, error=code)
        for code in ("rate_limit_exceeded", "invalid_api_key")
    ]
    metrics.take([end(finding), *refused], [])
    values = await exposed(metrics)
    found = (("action", "redact"), ("rule", "mail"))
    assert values["serve_app_filter_findings_total", found] == 3
    assert values["serve_app_limits_refused_total", (("code", "rate_limit_exceeded"),)] == 1
    assert ("serve_app_limits_refused_total", (("code", "invalid_api_key"),)) not in values
    error = (("code", "invalid_api_key"), ("route", "/v1/chat/completions"))
    assert values["serve_app_errors_total", error] == 1


async def test_answers_of_models_have_the_names_of_opentelemetry(metrics: Metrics) -> None:
    answered = {"backend": "b", "model": "m", "prompt_tokens": 20, "completion_tokens": 11}
    metrics.take([end(**answered, streamed=True, first_content_s=0.1)], [])
    metrics.take([end(**answered, cache="l1")], [])  # no model was asked
    values = await exposed(metrics)
    of = (
        ("gen_ai_operation_name", "chat"),
        ("gen_ai_provider_name", "openai"),
        ("gen_ai_response_model", "m"),
    )
    assert values["gen_ai_server_request_duration_seconds_count", of] == 1
    assert values["gen_ai_server_time_to_first_token_seconds_sum", of] == 0.1
    pace = values["gen_ai_server_time_per_output_token_seconds_sum", of]
    assert pace == pytest.approx(0.02, abs=2e-6)
    for kind, count in (("input", 20), ("output", 11)):
        labels = (*of, ("gen_ai_token_type", kind))
        assert values["gen_ai_client_token_usage_sum", labels] == count


async def test_money_is_what_the_settlements_say(metrics: Metrics) -> None:
    paid = Settlement("t", "u", "m", "b", 100, 20, 7, cached_tokens=64)
    metrics.take([], [paid, Settlement("t", "u", "m", "b", 100, 20, 0, "l2", 7), paid])
    values = await exposed(metrics)
    of = (("backend", "b"), ("model", "m"))
    assert values["serve_app_cost_micro_usd_total", of] == 14
    assert values["serve_app_saved_micro_usd_total", of] == 7
    tokens = {
        direction: values["serve_app_tokens_total", (of[0], ("direction", direction), of[1])]
        for direction in ("input", "output", "cached")
    }
    assert tokens == {"input": 200, "output": 40, "cached": 128}


async def test_gauges_of_processes_are_joined_as_the_catalogue_says(store: Store) -> None:
    first, second = made(store), made(store, "Workers")
    for process, running, oldest in ((first, 3.0, 10.0), (second, 4.0, 20.0)):
        shown: list[Shown] = [
            ("serve_app_running_requests", {}, running),
            ("serve_app_tasks_oldest_seconds", {}, oldest),
        ]
        process.watch(lambda shown=shown: shown)  # type: ignore[misc]
    await exposed(first)
    values = await exposed(second)
    assert values["serve_app_running_requests", ()] == 7
    assert values["serve_app_tasks_oldest_seconds", ()] == 20
    for deployment in ("Gateway", "Workers"):
        labels = (("deployment", deployment), ("state", "up"))
        assert values["serve_app_replicas", labels] == 1
    await first.close()
    assert (await exposed(second))["serve_app_running_requests", ()] == 4
    await second.close()


async def test_counters_elsewhere_are_followed_and_a_broken_source_harms_nothing(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    lost = {"fills": 2.0}

    def tell() -> Iterable[Shown]:
        return [("serve_app_lost_total", {"what": what}, n) for what, n in lost.items()]

    def broken() -> Iterable[Shown]:
        raise OSError("no figures today")

    metrics.watch(broken)
    metrics.follow(tell)
    metrics.count("serve_app_records_total", 5, what="written")
    await exposed(metrics)
    lost["fills"] = 5
    values = await exposed(metrics)
    assert values["serve_app_lost_total", (("what", "fills"),)] == 5
    assert values["serve_app_records_total", (("what", "written"),)] == 5
    assert caplog.text.count("could not be had") == 1


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text; version=1.0.0"])
async def test_whatever_a_label_says_the_text_can_be_read(metrics: Metrics, accept: str) -> None:
    for value in ('say "hi"', "a\nb", "back\\slash", "=|{}", "雪", "\udc80", "x" * 500, ""):
        metrics.take([end(route=value)], [])
    values = await exposed(metrics, accept)
    routes = {dict(labels)["route"] for name, labels in values if name.endswith("requests_total")}
    assert {'say "hi"', "a?b", "back\\slash", "=|{}", "雪", "?", "x" * 120, ""} == routes


async def test_a_metric_or_label_that_there_is_not_is_refused(metrics: Metrics) -> None:
    with pytest.raises(KeyError):
        metrics.count("serve_app_nothing_total")
    with pytest.raises(KeyError):
        metrics.count("serve_app_records_total", 1, which="written")
    with pytest.raises(KeyError):
        metrics.count("serve_app_records_total", 1, what="written", where="here")


def test_labels_have_so_many_values_and_then_others() -> None:
    names = Fields()
    names.max_tenants = 2
    seen = {
        fields.read(names.name("serve_app_requests_total", ["r", str(status), f"t{tenant}"]))
        for tenant in range(5)
        for status in range(1000)
    }
    labels = [dict(field.labels) for field in seen if field is not None]
    assert {label["tenant"] for label in labels} == {"t0", "t1", "other"}
    assert len({label["status"] for label in labels}) == fields.MAX_VALUES + 1
    learnt = Fields()
    learnt.max_tenants = 2
    learnt.learn([names.name("serve_app_requests_total", ["r", "1", "t0"])])
    learnt.name("serve_app_requests_total", ["r", "1", "t7"])
    name = learnt.name("serve_app_requests_total", ["r", "1", "t8"])
    assert "tenant=other" in name


async def test_one_of_several_leaves_the_counters_out_while_redis_is_away(tmp_path: Path) -> None:
    """Each of them knows other totals; one that goes down would look like a new beginning."""
    valkey = EmbeddedValkey(tmp_path / "own")
    valkey.start()
    settings = RedisSettings(timeout_ms=5000)
    stores = [Store(settings, SystemClock(), valkey.url) for _ in range(2)]
    first, second = (made(store) for store in stores)
    try:
        first.take([end()], [])
        before = await exposed(first)
        second.take([end()], [])
        assert len(await exposed(second)) >= len(before)
        await exposed(first)
    finally:
        valkey.stop()
    for process in (first, second):
        names = {name for name, _ in await exposed(process)}
        assert "serve_app_requests_total" not in names
        assert "serve_app_event_loop_lag_seconds" in names
        values = await exposed(process)
        assert values["serve_app_metrics_complete", ()] == 0
        assert values["serve_app_redis_up", ()] == 0
    await asyncio.gather(*(store.close() for store in stores))


async def test_requests_are_not_counted_where_the_policy_says_so(store: Store) -> None:
    metrics = made(store, enabled=False)
    metrics.take([end()], [])
    assert not [name for name, _ in await exposed(metrics) if "requests_total" in name]
    metrics.reconfigure(MetricsPolicy())
    metrics.take([end()], [])
    assert [name for name, _ in await exposed(metrics) if "requests_total" in name]


def test_the_page_of_metrics_is_the_catalogues() -> None:
    page = Path(__file__).parents[2] / "docs" / "metrics.md"
    assert page.read_text(encoding="utf-8") == reference.render(), (
        "run `python -m serve_app.observe.reference > docs/metrics.md`"
    )


def test_every_metric_says_what_it_is_and_has_buckets_that_grow() -> None:
    for name, metric in catalog.METRICS.items():
        assert metric.help.endswith("."), name
        assert name.endswith("_total") == (metric.kind == "counter"), name
        assert bool(metric.buckets) == (metric.kind == "histogram"), name
        assert list(metric.buckets) == sorted(set(metric.buckets)), name
