"""Live views from snapshots: what is kept, what grew, and what is shown of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from msgspec import Struct

from serve_app.console.counted import Counted
from serve_app.console.growth import Growth
from serve_app.console.lines import Labels, Series, sums
from serve_app.console.live import Live
from serve_app.console.snapshots import SPANS, Moment, Moments
from serve_app.console.window import Known

CHAT = "/v1/chat/completions"
WHAT = Counted([CHAT])
KNOWN = [Known("p", "m", local=False), Known("q", "n", local=True), Known("r", "o", False, "why")]


class Told(Struct, frozen=True):
    """A snapshot, as the history has it."""

    at: float
    series: Series = {}


def moment(at: float, **values: Mapping[str, float]) -> Moment:
    """By metric, by labels as `a=1,b=2`."""
    series = {
        name: {_labels(text): value for text, value in of.items()} for name, of in values.items()
    }
    return Moment(at, series, sums(series, WHAT))


def _labels(text: str) -> Labels:
    return tuple(sorted(tuple(pair.split("=", 1)) for pair in text.split(",") if pair))  # type: ignore[misc]


def requests(at: float, ok: float, failed: float = 0.0, **more: Mapping[str, float]) -> Moment:
    of = {
        f"route={CHAT},status=200": ok,
        f"route={CHAT},status=502": failed,
        f"route={CHAT},status=404": failed,
        "route=/v1/keys,status=500": failed,
    }
    return moment(at, serve_app_requests_total=of, **more)


def live(moments: list[Moment], window: str = "5m") -> dict[str, Any]:
    return Live(WHAT, KNOWN).view(window, moments, now=99.0)


def kept(ats: range) -> Moments:
    moments = Moments(WHAT)
    for at in ats:
        moments.take([Told(float(at))])
    return moments


def test_an_hour_of_snapshots_is_kept_in_a_few() -> None:
    moments = kept(range(0, 7200, 5))
    assert len(moments._kept) < 200
    for window, (length_s, step_s) in SPANS.items():
        during = moments.during(window)
        assert 0.9 * length_s / step_s <= len(during) <= length_s / step_s + 2, window
        assert during[-1].at == 7195.0
        assert during[0].at <= 7195.0 - 0.95 * length_s
        gaps = {after.at - before.at for before, after in pairwise(during[1:-1])}
        assert all(0.9 * step_s <= gap <= 2 * step_s for gap in gaps), (window, gaps)


def test_snapshots_that_are_read_again_are_kept_once() -> None:
    moments = Moments(WHAT)
    told = [Told(float(at)) for at in range(0, 20, 5)]
    assert moments.take(told)
    assert not moments.take(told)
    assert moments.take([*told[2:], Told(20.0)])
    assert [one.at for one in moments.during("5m")] == [0.0, 5.0, 10.0, 15.0, 20.0]


def test_a_window_begins_with_the_first_snapshot_however_little_that_is() -> None:
    moments = kept(range(0, 15, 5))
    assert [one.at for one in moments.during("60m")] == [0.0, 10.0]


def test_snapshots_come_a_little_early_and_late() -> None:
    moments = Moments(WHAT)
    ats = [5.0 * n + (0.4 if n % 2 else 0.0) for n in range(100)]
    moments.take([Told(at) for at in ats])
    assert len(moments.during("5m")) in (61, 62)


def test_what_the_view_does_not_show_is_not_kept() -> None:
    moments = Moments(WHAT)
    told = requests(5.0, 1, serve_app_lost_total={"what=x": 1.0})
    moments.take([Told(5.0, told.series)])
    assert moments.latest is not None
    assert set(moments.latest.series) == {"serve_app_requests_total"}


def test_a_counter_that_was_lost_begins_anew() -> None:
    """So says Prometheus' `increase`; and one that was not there began at nothing."""
    moments = [requests(0.0, 100), requests(5.0, 110), requests(10.0, 7), requests(15.0, 9)]
    assert Growth(moments).total("serve_app_requests_total") == 19
    view = live(moments)
    assert view["series"]["requests_per_s"] == [2.0, 1.4, 0.4]
    assert view["totals"]["requests"] == 19
    new = Growth([Moment(0.0, {}), requests(5.0, 3)])
    assert new.total("serve_app_requests_total") == 3


def test_rates_and_totals_are_of_requests_that_ask_a_model() -> None:
    view = live([requests(100.0, 10), requests(105.0, 20), requests(110.0, 40, failed=5)])
    assert view["times"] == [105.0, 110.0]
    assert view["series"]["requests_per_s"] == [2.0, 6.0]
    assert view["series"]["errors_per_s"] == [0.0, 1.0]
    assert view["series"]["refused_per_s"] == [0.0, 1.0]
    totals = view["totals"]
    assert (totals["requests"], totals["errors"], totals["refused"]) == (40, 5, 5)
    assert totals["error_share"] == 0.125
    assert view["routes"] == [{"route": CHAT, "requests": 40, "errors": 5, "p95_s": None}]


def test_of_a_time_that_nobody_saw_nothing_is_known() -> None:
    view = live([requests(0.0, 0), requests(5.0, 10), requests(60.0, 20), requests(65.0, 30)])
    assert view["series"]["requests_per_s"] == [2.0, None, 2.0]
    assert view["series"]["latency_s"]["p50"] == [None, None, None]
    assert view["totals"]["requests"] == 30


def test_quantiles_are_of_the_step() -> None:
    def took(at: float, fast: float, slow: float) -> Moment:
        of = {"le=0.1": fast, "le=1.0": fast + slow, "le=+Inf": fast + slow}
        buckets = {f"route={CHAT},{le}": n for le, n in of.items()}
        return moment(at, serve_app_request_seconds_bucket=buckets)

    view = live([took(0.0, 0, 0), took(5.0, 10, 0), took(10.0, 10, 10)])
    assert view["series"]["latency_s"]["p50"] == pytest.approx([0.05, 0.55])
    assert view["totals"]["latency_s"]["p95"] == pytest.approx(0.91)


def test_hits_are_a_share_of_the_lookups() -> None:
    def looked(at: float, n: float) -> Moment:
        levels = {"level=l1": n, "level=semantic": n, "level=miss": 2 * n, "level=bypass": 9 * n}
        return moment(at, serve_app_cache_lookups_total=levels)

    view = live([looked(0.0, 0), looked(5.0, 10)])
    assert view["totals"]["cache_hit_share"] == 0.5
    assert view["series"]["cache_per_s"] == {"l1": [2.0], "miss": [4.0], "semantic": [2.0]}


def test_money_is_told_by_the_minute() -> None:
    def paid(at: float, cost: float, saved: float) -> Moment:
        of = {f"backend=p,model=m,tenant={tenant}": cost for tenant in ("a", "b")}
        return moment(
            at,
            serve_app_cost_micro_usd_total=of,
            serve_app_saved_micro_usd_total={"backend=p,model=m": saved},
        )

    view = live([paid(0.0, 0, 0), paid(5.0, 50, 30)])
    assert view["series"]["cost_micro_usd_per_min"] == [1200.0]
    assert view["series"]["saved_micro_usd_per_min"] == [360.0]
    assert (view["totals"]["cost_micro_usd"], view["totals"]["saved_micro_usd"]) == (100, 30)
    assert view["backends"][0]["cost_micro_usd"] == 100


def test_each_model_has_a_row_whatever_was_asked_of_it() -> None:
    attempts = {"answered": 8.0, "transient": 2.0, "skipped": 5.0}
    now = moment(
        5.0,
        serve_app_attempts_total={
            f"backend=p,model=m,outcome={how}": n for how, n in attempts.items()
        },
        serve_app_backend_state={"backend=p,model=m,state=open": 1.0},
        serve_app_backend_calls={"backend=p,model=m": 3.0},
        serve_app_turns_running={"backend=q": 4.0},
        serve_app_turns_waiting={"backend=q,priority=batch": 2.0},
        serve_app_local_kv_used_ratio={"backend=q": 0.5},
    )
    p, q, r = live([Moment(0.0, {}), now])["backends"]
    assert (p["state"], p["calls"], p["attempts"], p["failed"]) == ("open", 3, 10, 2)
    assert p["local_queue"] is None
    queue = {"running": 4, "waiting": {"batch": 2}, "queue": None, "kv_used_ratio": 0.5}
    assert (q["state"], q["local_queue"]) == ("ok", queue)
    assert r["state"] == "off"


def test_what_is_worst_about_a_model_is_its_state() -> None:
    states = {f"backend=p,model=m,state={state}": 1.0 for state in ("open", "away", "key_refused")}
    now = moment(5.0, serve_app_backend_state=states)
    assert live([now])["backends"][0]["state"] == "key_refused"


def test_what_is_so_now() -> None:
    replicas = {"deployment=Gateway,state=up": 2.0, "deployment=Gateway,state=wanted": 3.0}
    now = moment(
        5.0,
        serve_app_replicas=replicas,
        serve_app_tasks={"priority=high,state=waiting": 3.0},
        serve_app_tasks_oldest_seconds={"": 12.5},
        serve_app_alerts_firing={"alert=A,severity=critical": 1.0, "alert=B,severity=warning": 0.0},
        serve_app_redis_up={"": 1.0},
        serve_app_metrics_complete={"": 1.0},
    )
    view = live([now])
    assert view["replicas"] == [{"deployment": "Gateway", "up": 2, "wanted": 3}]
    assert view["tasks"]["counts"] == [{"priority": "high", "state": "waiting", "count": 3}]
    assert view["tasks"]["oldest_s"] == 12.5
    assert view["alerts"] == [{"alert": "A", "severity": "critical"}]
    assert (view["redis_up"], view["complete"]) == (True, True)


def test_before_anything_is_known_there_is_a_view() -> None:
    view = live([])
    assert (view["at"], view["times"], view["complete"]) == (99.0, [], False)
    assert [row["state"] for row in view["backends"]] == ["ok", "ok", "off"]
    assert view["totals"]["error_share"] is None
