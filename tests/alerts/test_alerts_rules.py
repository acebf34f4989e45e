"""The shipped rules: each fires when it should and not else, has its page, and can be changed."""

from __future__ import annotations

import re
from pathlib import Path

import promql_parser
import pytest
from pydantic import ValidationError
from series import Series, worked_out

from serve_app.alerts import wording
from serve_app.alerts.rules import Rule, in_force, read, text
from serve_app.config.alerts_policy import AlertRule, AlertsPolicy
from serve_app.config.shipped import shipped
from serve_app.core.errors import PolicyRejected

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = read(shipped("alerts.yaml"))
RULES = {rule.name: rule for rule in in_force(AlertsPolicy(), SHIPPED, {})}
MINUTES = 61
"""Values for five minutes."""


def steady(each: float) -> list[float]:
    """A counter that grows by so much each five seconds."""
    return [n * each for n in range(MINUTES)]


def flat(value: float) -> list[float]:
    return [value] * MINUTES


OF = 'backend="p",model="m"'
OTHER = 'backend="q",model="m"'

CASES: dict[str, tuple[Series, Series]] = {
    "ErrorRateHigh": (
        {'serve_app_requests_total{route="/a",status="200"}': steady(10),
         'serve_app_requests_total{route="/a",status="503"}': steady(1)},
        {'serve_app_requests_total{route="/a",status="200"}': steady(10),
         'serve_app_requests_total{route="/a",status="404"}': steady(9),
         'serve_app_requests_total{route="/a",status="503"}': steady(0.5)},
    ),
    "LatencyHigh": (
        {'serve_app_request_seconds_bucket{le="5"}': steady(9),
         'serve_app_request_seconds_bucket{le="10"}': steady(10),
         'serve_app_request_seconds_bucket{le="+Inf"}': steady(10)},
        {'serve_app_request_seconds_bucket{le="5"}': steady(9.8),
         'serve_app_request_seconds_bucket{le="10"}': steady(10),
         'serve_app_request_seconds_bucket{le="+Inf"}': steady(10)},
    ),
    "BudgetNearlySpent": (
        {'serve_app_budget_used_ratio{name="tenant=acme",period="day",scope="per tenant"}':
         flat(0.85)},
        {"serve_app_other": flat(1)},
    ),
    "BudgetSpent": (
        {'serve_app_budget_used_ratio{name="tenant=acme",period="day",scope="per tenant"}':
         flat(1.0)},
        {'serve_app_budget_used_ratio{name="tenant=acme",period="day",scope="per tenant"}':
         flat(0.99)},
    ),
    "BreakerOpen": (
        {f'serve_app_backend_state{{{OF},state="open"}}': flat(1)},
        {f'serve_app_backend_state{{{OF},state="open"}}': flat(0),
         f'serve_app_backend_state{{{OF},state="key_refused"}}': flat(1)},
    ),
    "ProviderKeyRefused": (
        {f'serve_app_backend_state{{{OF},state="key_refused"}}': flat(1)},
        {f'serve_app_backend_state{{{OF},state="open"}}': flat(1)},
    ),
    "NoBackend": (
        {f'serve_app_backend_state{{{OF},state="open"}}': flat(1),
         f'serve_app_backend_state{{{OF},state="away"}}': flat(0),
         f'serve_app_backend_state{{{OTHER},state="key_refused"}}': flat(1)},
        {f'serve_app_backend_state{{{OF},state="open"}}': flat(1),
         f'serve_app_backend_state{{{OTHER},state="open"}}': flat(0),
         'serve_app_errors_total{code="all_backends_failed"}': steady(1),
         f'serve_app_attempts_total{{{OF},outcome="answered"}}': steady(1)},
    ),
    "RedisGone": ({"serve_app_redis_up": flat(0)}, {"serve_app_redis_up": flat(1)}),
    "CacheBoundBroken": (
        {'serve_app_cache_wrong_share{bound="low"}': flat(0.02)},
        {'serve_app_cache_wrong_share{bound="low"}': flat(0.005),
         'serve_app_cache_wrong_share{bound="high"}': flat(0.3)},
    ),
    "BacklogGrowing": (
        {'serve_app_tasks{priority="normal",state="pending"}': [float(n) for n in range(200)]},
        {'serve_app_tasks{priority="normal",state="pending"}':
         [float(400 - n) for n in range(200)]},
    ),
    "DrainOverdue": (
        {"serve_app_draining_seconds": flat(121)}, {"serve_app_draining_seconds": flat(60)},
    ),
    "RecordsSpooling": (
        {'serve_app_records_total{what="spooled"}': steady(1)},
        {'serve_app_records_total{what="spooled"}': flat(7),
         'serve_app_records_total{what="written"}': steady(1)},
    ),
    "RecordsLost": (
        {'serve_app_records_total{what="lost"}': [*[None] * 58, 3.0, 3.0, 3.0],
         "serve_app_other": flat(1)},
        {'serve_app_records_total{what="lost"}': flat(7)},
    ),
    "ReplicasMissing": (
        {'serve_app_replicas{deployment="Gateway",state="wanted"}': flat(3),
         'serve_app_replicas{deployment="Gateway",state="up"}': flat(2)},
        {'serve_app_replicas{deployment="Gateway",state="wanted"}': flat(3),
         'serve_app_replicas{deployment="Gateway",state="up"}': flat(3),
         'serve_app_replicas{deployment="Worker",state="wanted"}': flat(0)},
    ),
    "EventLoopLag": (
        {"serve_app_event_loop_lag_seconds": flat(0.8)},
        {"serve_app_event_loop_lag_seconds": flat(0.1)},
    ),
    "ObservationsLost": (
        {'serve_app_lost_total{what="request_ends"}': steady(1)},
        {'serve_app_lost_total{what="request_ends"}': flat(12)},
    ),
    "AlertNotDelivered": (
        {'serve_app_alerts_sent_total{channel="ops",outcome="lost"}': steady(1)},
        {'serve_app_alerts_sent_total{channel="ops",outcome="failed"}': steady(1)},
    ),
}  # fmt: skip


def _found(rule: Rule, series: Series) -> object:
    return worked_out(rule.expr, series, (max(map(len, series.values())) - 1) * 5.0)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_holds_when_it_should_and_not_else(name: str) -> None:
    bad, good = CASES[name]
    assert _found(RULES[name], bad)
    assert _found(RULES[name], good) == {}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_what_is_wrong_with_labels_that_are_there(name: str) -> None:
    rule = RULES[name].says
    found = _found(RULES[name], CASES[name][0])
    assert isinstance(found, dict)
    for labels, value in found.items():
        for language in ("en", "zh"):
            said = wording.summary(rule, dict(labels), value, language)  # type: ignore[arg-type]
            assert not re.search(r"\{|\}|(^|\s)-(\s|$)", said), said
    assert rule.summary.zh


def test_nobody_that_answers_is_told_even_if_no_breaker_says_so() -> None:
    series = {'serve_app_errors_total{code="all_backends_failed",route="/a"}': steady(1)}
    assert _found(RULES["NoBackend"], series)


def test_a_deployment_without_any_replica_misses_some() -> None:
    series = {'serve_app_replicas{deployment="Gateway",state="wanted"}': flat(3)}
    assert _found(RULES["ReplicasMissing"], series) == {(("deployment", "Gateway"),): 3.0}


def test_prometheus_can_read_them() -> None:
    for rule in RULES.values():
        promql_parser.parse(rule.expr)


def test_each_rule_has_its_page_and_each_page_its_rule() -> None:
    pages = {path.stem: path.read_text(encoding="utf-8")
             for path in (ROOT / "docs/runbooks").glob("*.md")}  # fmt: skip
    assert pages.keys() == RULES.keys()
    listed = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    for name, page in pages.items():
        assert RULES[name].runbook("docs/runbooks/") == f"docs/runbooks/{name}.md"
        assert f"](runbooks/{name}.md) | {RULES[name].says.severity} |" in listed
        heads = re.findall(r"^#+ (.*)", page, re.MULTILINE)
        assert heads == [name, "What it means", "What to look at", "What to do"]
        linked = re.findall(r"\]\((\w+)\.md\)", page)
        assert set(linked) <= pages.keys()


def test_a_policy_changes_shipped_rules_by_name() -> None:
    policy = AlertsPolicy.model_validate(
        {
            "channels": [{"name": "ops", "kind": "webhook", "url_env": "X"}],
            "changes": {
                "LatencyHigh": {"threshold": 20, "for_s": 1, "severity": "info",
                                "channels": ["ops"]},
                "EventLoopLag": {"enabled": False},
                "CacheBoundBroken": {"threshold": 0.2},
            },
        }
    )  # fmt: skip
    told = {"DrainOverdue": 75.0, "CacheBoundBroken": 0.05}
    rules = {rule.name: rule for rule in in_force(policy, SHIPPED, told)}
    latency = rules["LatencyHigh"]
    assert latency.expr.endswith("> 20")
    assert (latency.says.for_s, latency.says.severity, latency.says.channels) == (
        1,
        "info",
        ["ops"],
    )
    assert "EventLoopLag" not in rules
    assert rules["DrainOverdue"].expr.endswith("> 75")
    assert rules["CacheBoundBroken"].expr.endswith("> 0.2")
    assert rules.keys() == RULES.keys() - {"EventLoopLag"}


def test_ones_own_take_the_place_of_shipped_ones_and_all_can_be_off() -> None:
    own = {"name": "LatencyHigh", "expr": "up < 1", "summary": {"en": "x"}}
    rules = {
        r.name: r for r in in_force(AlertsPolicy.model_validate({"rules": [own]}), SHIPPED, {})
    }
    assert rules["LatencyHigh"].expr == "up < 1"
    assert len(rules) == len(RULES)
    only = AlertsPolicy.model_validate({"rules": [own], "shipped": False})
    assert [rule.name for rule in in_force(only, SHIPPED, {})] == ["LatencyHigh"]
    assert in_force(AlertsPolicy(enabled=False), SHIPPED, {}) == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"expr": "sum("}, "alerts.rules: Mine: something is missing at the end (column 5)"),
        ({"expr": "1 + 1"}, "alerts.rules: Mine: a number is no alert"),
        ({"expr": "up > $threshold"}, "alerts.rules: Mine: has $threshold in its expression"),
    ],
)
def test_a_rule_that_cannot_be_used_is_named(more: dict[str, str], says: str) -> None:
    rule = {"name": "Mine", "summary": {"en": "x"}, **more}
    with pytest.raises(PolicyRejected) as caught:
        in_force(AlertsPolicy.model_validate({"rules": [rule]}), SHIPPED, {})
    assert str(caught.value).startswith(says)


def test_a_change_of_a_rule_that_is_none_is_refused() -> None:
    policy = AlertsPolicy.model_validate({"changes": {"Latency": {"threshold": 1}}})
    with pytest.raises(PolicyRejected, match="there is no shipped rule 'Latency'; there are Error"):
        in_force(policy, SHIPPED, {})


def test_thresholds_are_written_as_prometheus_reads_them() -> None:
    rule = AlertRule.model_validate(
        {"name": "A", "expr": "up > $threshold", "threshold": 0.0000001, "summary": {"en": "x"}}
    )
    assert text(rule) == "up > 1e-07"
    promql_parser.parse(text(rule))


@pytest.mark.parametrize(
    ("channel", "says"),
    [
        ({"kind": "webhook"}, "needs one of url_env and url_file"),
        ({"kind": "webhook", "url_env": "A", "url_file": "b"}, "needs one of url_env and url_file"),
        ({"kind": "webhook", "url_env": "https://x/y"}, "should match pattern"),
        ({"kind": "wecom", "url_env": "A", "secret_env": "B"}, "wecom signs nothing"),
        ({"kind": "pigeon", "url_env": "A"}, "Input should be 'apprise'"),
    ],
)
def test_a_channel_that_cannot_be_is_refused(channel: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        AlertsPolicy.model_validate({"channels": [{"name": "ops", **channel}]})


def test_names_are_unique_and_channels_exist() -> None:
    one = {"name": "ops", "kind": "webhook", "url_env": "A"}
    with pytest.raises(ValidationError, match="names must be unique, got twice: ops"):
        AlertsPolicy.model_validate({"channels": [one, one]})
    with pytest.raises(ValidationError, match="there is no channel night"):
        AlertsPolicy.model_validate({"changes": {"NoBackend": {"channels": ["night"]}}})


def test_numbers_as_people_read_them() -> None:
    assert wording.number(0.0523, "share") == "5.23%"
    assert wording.number(6.1234, "seconds") == "6.12 s"
    assert wording.number(123456, "number") == "123456"
    assert wording.number(None, "share") == "-"


def test_what_comes_from_outside_stays_in_its_line() -> None:
    rule = AlertRule.model_validate(
        {"name": "A", "expr": "up", "summary": {"en": "{name}: {value.__class__} {0} {name}"}}
    )
    said = wording.summary(rule, {"name": "a\n{value}\x1b[2J" + "x" * 200}, 1, "en")
    assert "\n" not in said
    assert "\x1b" not in said
    assert said.startswith("a {value}")
    assert "{value.__class__}" in said
    assert len(said) < 300
