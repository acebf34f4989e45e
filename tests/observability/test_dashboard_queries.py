"""Dashboards and rules against the catalogue, and against a real Prometheus that scrapes it."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.observability.checking import series, wrong
from benchmarks.observability.files import texts
from benchmarks.observability.places import CONFIGS, DASHBOARDS, REPOSITORY
from benchmarks.observability.prometheus import Prometheus, running
from benchmarks.observability.queries import Asked, UnknownVariable, asked, choices, panels
from benchmarks.observability.recording import Recorder, Untold
from serve_app.observe.catalog import METRICS
from serve_app.observe.exposition import render
from serve_app.observe.snapshot import Snapshot

RULES = sorted((CONFIGS / "rules").glob("*.yaml"))
PAGES = sorted(DASHBOARDS.glob("*.json"))
EVERYTHING = {"__rate_interval": "1m", "backend": ".+", "tenant": ".+"}
KNOWN = series(METRICS)
BY_PROMETHEUS = {"up": {"job", "instance"}}


def queries(page: Path) -> list[Asked]:
    return [query for panel in panels(page) for query in asked(panel, EVERYTHING)]


def expressions(path: Path) -> list[str]:
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def test_the_files_are_what_the_program_makes() -> None:
    made = {path.stem: path.read_text(encoding="utf-8") for path in PAGES}
    assert made == texts(), "run `python -m benchmarks.observability`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_dashboard_can_be_imported_anywhere(page: Path) -> None:
    made = json.loads(page.read_text(encoding="utf-8"))
    assert "uid" not in made
    assert "id" not in made
    assert made["schemaVersion"] == 36, "of Grafana 10; later ones bring it up to date"
    assert made["templating"]["list"][0]["type"] == "datasource"
    assert len({panel["id"] for panel in made["panels"]}) == len(made["panels"])
    sources = {panel["datasource"]["uid"] for panel in made["panels"] if "targets" in panel}
    assert sources == {"${datasource}"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_panels_do_not_lie_upon_each_other(page: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(page):
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_dashboard_asks_only_for_metrics_that_there_are(page: Path) -> None:
    faults = {query.panel: wrong(query.expr, KNOWN) for query in queries(page)}
    assert {panel: found for panel, found in faults.items() if found} == {}
    for metric, label in choices(page).values():
        assert label in KNOWN[metric]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules_ask_only_for_metrics_that_there_are(path: Path) -> None:
    faults = {expr: wrong(expr, KNOWN | BY_PROMETHEUS) for expr in expressions(path)}
    assert {expr: found for expr, found in faults.items() if found} == {}


def test_every_metric_is_on_some_dashboard() -> None:
    shown = " ".join(query.expr for page in PAGES for query in queries(page))
    assert [name for name in METRICS if name not in shown] == []


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        ("serve_app_request_total", "no metric is called serve_app_request_total"),
        ('rate(serve_app_errors_total{status="500"}[5m])', "has no label status"),
        ("sum by (modell) (serve_app_backend_calls)", "a label modell"),
        ("serve_app_redis_up * on (backend) serve_app_draining_seconds", "a label backend"),
        ("serve_app_request_seconds", "no metric is called serve_app_request_seconds"),
    ],
)
def test_a_wrong_name_is_found(expr: str, fault: str) -> None:
    [found] = wrong(expr, KNOWN)
    assert fault in found


def test_an_unknown_variable_is_found() -> None:
    with pytest.raises(UnknownVariable, match="region"):
        list(asked({"title": "", "targets": [{"expr": "x{y='$region'}", "legendFormat": ""}]}, {}))


def test_a_metric_that_the_made_up_day_leaves_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "serve_app_new_total", METRICS["serve_app_requests_total"])
    with pytest.raises(Untold, match="serve_app_new_total"):
        Recorder().grow(0.0, 1.0)


class Service(ThreadingHTTPServer):
    """Answers /metrics with the made-up day's totals, half a minute on with each scrape."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Scraped)
        self._recorder = Recorder()
        self._lock = threading.Lock()
        self.scrapes = 0

    def exposed(self, accept: str) -> tuple[bytes, str]:
        with self._lock:
            self.scrapes += 1
            now = Snapshot(time.time(), self._recorder.grow(self.scrapes / 2 - 100, 30))
        return render(now, {}, accept)


class _Scraped(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        text, content_type = self.server.exposed(self.headers["Accept"] or "")
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def prometheus(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus with our own rules, after a few scrapes of everything that there is."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = folder / "prometheus.yaml"
    config.write_text(json.dumps(_config(service.server_address[1])), encoding="utf-8")
    for path in RULES:
        (folder / path.name).write_text(json.dumps(_eager(path)), encoding="utf-8")
    with running(config, folder) as server:
        _until(lambda: _scraped(server) >= 4 and _evaluated(server))
        yield server


def _config(port: int) -> dict[str, Any]:
    """Our own file, only quicker, and with nobody to tell."""
    ours = yaml.safe_load((CONFIGS / "prometheus.yaml").read_text(encoding="utf-8"))
    [job] = [one for one in ours["scrape_configs"] if one["job_name"] == "serve-app"]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    quick = {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"}
    return {
        "global": ours["global"] | quick,
        "rule_files": [Path(path).name for path in ours["rule_files"]],
        "scrape_configs": [job],
    }


def _eager(path: Path) -> dict[str, Any]:
    """Our own rules, evaluated as often as the rest."""
    ours = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"groups": [{"name": one["name"], "rules": one["rules"]} for one in ours["groups"]]}


def _scraped(server: Prometheus) -> float:
    found = server.now('count_over_time(up{job="serve-app"}[1m])')
    return float(found[0]["value"][1]) if found else 0.0


def _evaluated(server: Prometheus) -> bool:
    groups = server.get("rules")["groups"]
    return bool(groups) and all(
        rule["health"] != "unknown" for group in groups for rule in group["rules"]
    )


def _until(is_so: Any) -> None:
    limit = time.monotonic() + 40
    while not is_so():
        assert time.monotonic() < limit, "Prometheus did not get there"
        time.sleep(0.1)


def test_prometheus_takes_the_exposition_as_it_is(prometheus: Prometheus) -> None:
    [target] = prometheus.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    names = set(prometheus.get("label/__name__/values"))
    assert set(KNOWN) <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_panel_shows_something(page: Path, prometheus: Prometheus) -> None:
    empty = [query for query in queries(page) if not prometheus.now(query.expr)]
    assert empty == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_choice_has_something_to_choose(page: Path, prometheus: Prometheus) -> None:
    for metric, label in choices(page).values():
        assert prometheus.values(metric, label, time.time() - 600, time.time())


def test_every_rule_can_be_evaluated(prometheus: Prometheus) -> None:
    groups = prometheus.get("rules")["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    assert len(found) == sum(len(expressions(path)) for path in RULES)
    bad = {rule["name"]: rule.get("lastError") for rule in found if rule["health"] != "ok"}
    assert bad == {}


def test_every_recorded_series_is_there(prometheus: Prometheus) -> None:
    groups = yaml.safe_load((CONFIGS / "rules" / "recording.yaml").read_text(encoding="utf-8"))
    names = [rule["record"] for group in groups["groups"] for rule in group["rules"]]
    _until(lambda: all(prometheus.now(f'{{__name__="{name}"}}') for name in names))


def test_the_queries_in_the_docs_name_metrics_that_there_are() -> None:
    text = (REPOSITORY / "docs" / "observability.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```promql\n(.*?)```", text, re.DOTALL)
    exprs = "".join(blocks).splitlines()
    assert len(exprs) == 5
    assert [fault for expr in exprs for fault in wrong(expr, KNOWN)] == []
