"""What expressions come to: by hand, and as Prometheus' own promtool says."""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from series import STEP_S, Moment, Series, labels_of, worked_out

from serve_app.alerts.promql.evaluate import CannotMatch, evaluate
from serve_app.alerts.promql.parser import parse
from serve_app.alerts.promql.window import Window

UP = [float(n) for n in range(0, 130, 10)]
"""Ten each five seconds, for a minute."""
WORLD: Series = {
    'requests{route="/a",status="200"}': UP,
    'requests{route="/a",status="500"}': [v / 10 for v in UP],
    'requests{route="/b",status="200"}': [5, 15, 25, 35, 3, 13, 23, 33, 43, 53, 63, 73, 83],
    'quiet{route="/a"}': [7.0] * 13,
    'level{host="one"}': [3, 9, 4, 4, 8, 1, 2, 9, 9, 3, 5, 6, 7],
    'level{host="two"}': [0.0] * 12 + [-2.0],
    'limit{host="one"}': [5.0] * 13,
    'limit{host="two"}': [5.0] * 13,
    'limit{host="three"}': [5.0] * 13,
    'gone{host="one"}': [1.0, 1.0, 1.0],
    'seconds_bucket{le="0.1",route="/a"}': [0.0] * 12 + [40.0],
    'seconds_bucket{le="1",route="/a"}': [0.0] * 12 + [90.0],
    'seconds_bucket{le="5",route="/a"}': [0.0] * 12 + [99.0],
    'seconds_bucket{le="+Inf",route="/a"}': [0.0] * 12 + [100.0],
    'seconds_bucket{le="0.1",route="/b"}': [0.0] * 12 + [0.0],
    'seconds_bucket{le="1",route="/b"}': [0.0] * 12 + [0.0],
    'seconds_bucket{le="5",route="/b"}': [0.0] * 12 + [1.0],
    'seconds_bucket{le="+Inf",route="/b"}': [0.0] * 12 + [10.0],
}
END_S = 12 * STEP_S

AGAINST_PROMETHEUS = [
    "requests + 0",
    'requests{route="/a"} + 0',
    'requests{route!="/a"} + 0',
    'requests{status=~"5.."} + 0',
    'requests{status=~"5"} + 0',
    'requests{status!~"2.*",route=~"/a|/c"} + 0',
    'requests{nothing=""} + 0',
    "rate(requests[32s])",
    "rate(requests[1m2s])",
    "increase(requests[32s])",
    'increase(requests{route="/a"}[5m2s])',  # of counters above 0, version 3 takes another way
    "increase(quiet[32s])",
    "increase(requests[28s] offset 15s)",
    "delta(level[32s])",
    "rate(requests[2s])",
    "max_over_time(level[32s])",
    "min_over_time(level[32s])",
    "avg_over_time(level[32s])",
    "sum(requests)",
    "sum by (route) (requests)",
    "sum by (route, nothing) (requests)",
    "sum without (status) (requests)",
    "max by (status) (requests)",
    "min(requests)",
    "avg by (route) (requests)",
    "count(requests)",
    "count by (route) (requests) * 2",
    "sum(nothing)",
    "level > bool 3",
    "3 < bool level",
    "(level > 3) + 0",
    "(3 < level) + 0",
    "(level == 7) + 0",
    "(level != 7) + 0",
    "level + limit",
    "(level > limit) + 0",
    "level > bool limit",
    "level / limit",
    "level % 4",
    "level ^ 2",
    "2 ^ level",
    "-level",
    "-level ^ 2",
    "1 - level / limit * 2",
    "sum by (route) (requests) - on (route) sum by (route) (requests)",
    'requests{status="500"} / ignoring (status) requests{status="200",route="/a"}',
    "(level and limit) + 0",
    "(limit unless level) + 0",
    "(level or limit) + 0",
    "(level or on () limit) + 0",
    'sum(rate(requests{status=~"5.."}[32s])) / sum(rate(requests[32s]))',
    "sum(level) > 100 or sum(level) < 50",
    "sum(level) > 1 and sum(limit) > 1",
    "absent(nothing)",
    'absent(nothing{a="1",b!="2",c=~"x"})',
    'absent(nothing{a="1",a="2"})',
    "absent(level)",
    "absent(sum(nothing))",
    "(gone or limit) + 0",
    "gone offset 50s + 0",
    "clamp_min(level, 1)",
    "clamp_max(level, 1)",
    "clamp_min(sum by (route) (requests), 1) / 2",
    "histogram_quantile(0.5, seconds_bucket)",
    "histogram_quantile(0.95, sum by (le) (seconds_bucket))",
    "histogram_quantile(0.3, seconds_bucket)",
    "histogram_quantile(1, seconds_bucket)",
    'histogram_quantile(0, seconds_bucket{route="/a"})',
    "histogram_quantile(0.9, sum by (le) (rate(seconds_bucket[32s]))) > 1",
    "1 + 2 * 3 - 4 / 2 + vector_is_no_word",
]


def _samples(text: str) -> list[dict[str, object]]:
    value = worked_out(text, WORLD, END_S, 0.0)
    assert isinstance(value, dict)
    assert not any(math.isnan(v) or math.isinf(v) for v in value.values()), text
    return [
        {
            "labels": "{" + ", ".join(f'{k}="{v}"' for k, v in labels) + "}",
            "value": math.floor(number * 1e6 + 0.5) / 1e6,
        }
        for labels, number in value.items()
    ]


def _values(series: list[float | None]) -> str:
    shown = " ".join("_" if value is None else f"{value:g}" for value in series)
    return shown if len(series) == 13 else f"{shown} stale"


def test_prometheus_comes_to_the_same(tmp_path: Path) -> None:
    """Our answers are handed to promtool as what it has to find; it evaluates with Prometheus'
    own engine."""
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing: install the package `prometheus`"
    cases = [
        {
            "expr": f"round({text}, 1e-6)",
            "eval_time": f"{END_S:.0f}s",
            "exp_samples": _samples(text),
        }
        for text in AGAINST_PROMETHEUS
    ]
    series = [{"series": name, "values": _values(list(of))} for name, of in WORLD.items()]
    test = {"interval": "5s", "input_series": series, "promql_expr_test": cases}
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "5s", "tests": [test]}))
    done = subprocess.run(
        [promtool, "test", "rules", str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_comparison_would_tell(tmp_path: Path) -> None:
    """A wrong answer is found: else the test above would say nothing."""
    case = {"expr": "sum(requests)", "eval_time": "60s",
            "exp_samples": [{"labels": "{}", "value": 1.0}]}  # fmt: skip
    series = [{"series": name, "values": _values(list(of))} for name, of in WORLD.items()]
    test = {"interval": "5s", "input_series": series, "promql_expr_test": [case]}
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "5s", "tests": [test]}))
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0


# -------------------------------------------------------------------------------- by hand


def _one(text: str, series: Series, at_s: float) -> float:
    value = worked_out(text, series, at_s)
    assert isinstance(value, dict)
    [number] = value.values()
    return number


def test_a_counter_that_begins_anew_has_grown_by_what_it_has_since() -> None:
    # 100 -> 110 -> (begun anew) 4 -> 9: 10 + 4 + 5, between the first and the last of 15 s;
    # the range begins 5 s before the first sample, which is less than 1.1 steps: 20 s in all.
    series = {"c": [100.0, 110.0, 4.0, 9.0]}
    assert _one("increase(c[20s])", series, 15) == pytest.approx(19 * 20 / 15)


def test_a_counter_is_not_taken_back_below_nothing() -> None:
    # It had 1 at its first sample and gains 10 each 5 s: it was 0 half a second before.
    series = {"c": [1.0, 11.0, 21.0]}
    assert _one("increase(c[15s])", series, 10) == pytest.approx(20 * (10 + 0.5) / 10)


def test_a_counter_that_appears_was_0_before() -> None:
    """Prometheus would not see the first forty errors; we know that there were none before."""
    series: Series = {
        "errors": [None, None, None, 40.0, 40.0, 40.0],
        "requests": [0.0, 100, 200, 300, 400, 500],
    }
    assert _one("increase(errors[25s])", series, 25) == pytest.approx(40, rel=0.2)


def test_a_counter_that_appears_where_not_all_was_known_is_not_taken_for_new() -> None:
    series: Series = {
        "errors": [None, None, None, 4000.0, 4000.0, 4001.0],
        "serve_app_metrics_complete": [0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
    }
    assert _one("increase(errors[25s])", series, 25) < 2


def test_a_gauge_that_appears_has_not_grown() -> None:
    series: Series = {"level": [None, None, 40.0, 40.0], "other": [1.0] * 4}
    assert _one("delta(level[15s])", series, 15) == 0


def test_a_series_that_ended_is_not_there() -> None:
    series: Series = {"gone": [1.0, 1.0], "other": [1.0, 1.0, 1.0]}
    assert worked_out("gone", series, 10) == {}
    assert worked_out("gone", series, 7) == {(): 1.0}


def test_old_figures_are_none() -> None:
    assert worked_out("level", {"level": [1.0]}, 299) == {(): 1.0}
    assert worked_out("level", {"level": [1.0]}, 301) == {}


def test_no_traffic_is_no_error_rate() -> None:
    series = {"a": [0.0, 0.0], "b": [0.0, 0.0]}
    assert worked_out("rate(a[10s]) / rate(b[10s]) > 0.05", series, 5) == {}
    assert math.isnan(_one("rate(a[10s]) / rate(b[10s])", series, 5))


def test_numbers_that_are_none() -> None:
    series = {"x": [0.0], "y": [-3.0]}
    assert _one("1 / x", series, 0) == math.inf
    assert _one("y / x", series, 0) == -math.inf
    assert math.isnan(_one("y % x", series, 0))
    assert _one("x ^ -1", series, 0) == math.inf
    assert math.isnan(_one("y ^ 0.5", series, 0))
    assert _one("1e300 ^ (y * -1)", series, 0) == math.inf
    assert worked_out("1 + 2 ^ 3", series, 0) == 9.0


def test_quantiles_of_nothing_and_beyond() -> None:
    buckets = {'s_bucket{le="1"}': [0.0], 's_bucket{le="+Inf"}': [0.0]}
    assert math.isnan(_one("histogram_quantile(0.9, s_bucket)", buckets, 0))
    some = {'s_bucket{le="1"}': [3.0], 's_bucket{le="+Inf"}': [4.0]}
    assert _one("histogram_quantile(2, s_bucket)", some, 0) == math.inf
    assert _one("histogram_quantile(-1, s_bucket)", some, 0) == -math.inf
    assert _one("histogram_quantile(0.99, s_bucket)", some, 0) == 1.0
    assert math.isnan(_one("histogram_quantile(0.5, s_bucket)", {'s_bucket{le="1"}': [3.0]}, 0))
    assert worked_out("histogram_quantile(0.5, plain)", {"plain": [3.0]}, 0) == {}


def test_series_that_cannot_be_told_apart_are_refused() -> None:
    series = {'a{x="1",y="1"}': [1.0], 'a{x="1",y="2"}': [1.0], 'b{x="1"}': [1.0]}
    with pytest.raises(CannotMatch, match="several series have the labels"):
        worked_out("a + on (x) b", series, 0)


def test_a_window_takes_each_snapshot_once_and_lets_go_of_old_ones() -> None:
    window = Window([Moment(10.0, {"a": {(): 1.0}}), Moment(20.0, {"a": {(): 2.0}})])
    window.add([Moment(20.0, {"a": {(): 9.0}}), Moment(30.0, {"a": {(): 3.0}})])
    assert evaluate(parse("max_over_time(a[1m])"), window, 30.0) == {(): 3.0}
    window.forget_before(20.0)
    assert evaluate(parse("min_over_time(a[1m])"), window, 30.0) == {(): 3.0}
    assert window.last_at == 30.0


def test_labels_of_the_notation() -> None:
    assert labels_of('a{y="2",x="1"}') == ("a", (("x", "1"), ("y", "2")))
