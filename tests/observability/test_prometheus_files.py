"""The files for Prometheus and Alertmanager: as their own programs judge them, and as we meant."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.observability.places import ALERTS, CONFIGS, RECORDING, REPOSITORY, SHIPPED
from benchmarks.observability.prometheus import MissingProgram, program
from benchmarks.observability.rules import written
from serve_app.alerts.rules import read, text

UNITS = Path(__file__).parent / "promtool"
SCRAPE = CONFIGS / "rules" / "scrape.yaml"


def run(*command: str) -> str:
    """What a program says; its complaint is the failure of the test."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules(path: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_promtool_accepts_the_configuration_with_its_rules() -> None:
    said = run(program("promtool"), "check", "config", str(CONFIGS / "prometheus.yaml"))
    assert "3 rule files found" in said


def test_promtool_finds_no_fault_with_the_rules() -> None:
    files = [str(path) for path in sorted((CONFIGS / "rules").glob("*.yaml"))]
    run(program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *files)


@pytest.mark.parametrize("name", ["alerts", "recording", "scrape"])
def test_rules_do_what_their_unit_tests_say(name: str) -> None:
    run(program("promtool"), "test", "rules", str(UNITS / f"{name}.yaml"))


@pytest.mark.parametrize("path", [ALERTS, SCRAPE], ids=["alerts", "scrape"])
def test_every_alert_is_seen_quiet_then_firing_then_over(path: Path) -> None:
    units = yaml.safe_load((UNITS / path.name).read_text(encoding="utf-8"))["tests"]
    for rule in rules(path):
        assert _ends_as_it_began(units, rule["alert"]), f"{rule['alert']}: see {path.name}"


def _ends_as_it_began(units: list[dict[str, Any]], alert: str) -> bool:
    """Whether one of the tests looks at an alert before, while and after it fires."""
    for unit in units:
        looks = [look for look in unit["alert_rule_test"] if look["alertname"] == alert]
        looks.sort(key=lambda look: float(look["eval_time"].removesuffix("m")))
        fires = "".join("x" if look.get("exp_alerts") else "-" for look in looks)
        if "-x-" in fires:
            return True
    return False


def test_every_recording_rule_has_figures_in_its_unit_tests() -> None:
    told = (UNITS / "recording.yaml").read_text(encoding="utf-8")
    assert [rule["record"] for rule in rules(RECORDING) if rule["record"] not in told] == []


def test_prometheus_warns_of_just_what_the_service_warns_of() -> None:
    shipped = {rule.name: text(rule) for rule in read(SHIPPED)}
    assert {rule["alert"]: rule["expr"] for rule in rules(ALERTS)} == shipped
    assert ALERTS.read_text(encoding="utf-8") == written(), (
        "run `python -m benchmarks.observability`"
    )


def test_every_alert_says_how_bad_it_is_and_where_to_read_on() -> None:
    for rule in (*rules(ALERTS), *rules(SCRAPE)):
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]
        page = REPOSITORY / rule["annotations"]["runbook"].partition("#")[0]
        assert page.is_file(), page


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=NoBackend severity=critical", "on-call"),
        ("alertname=LatencyHigh severity=warning", "team"),
        ("alertname=BudgetSpent severity=critical", "on-call"),
        ("alertname=BudgetNearlySpent severity=warning", "team"),
        ("alertname=SomethingElse severity=info", "team"),
    ],
)
def test_alertmanager_tells_the_right_people(labels: str, receiver: str) -> None:
    config = f"--config.file={CONFIGS / 'alertmanager.yaml'}"
    said = run(program("amtool"), "config", "routes", "test", config, *labels.split())
    assert said.strip() == receiver


def test_amtool_accepts_the_routes() -> None:
    run(program("amtool"), "check-config", str(CONFIGS / "alertmanager.yaml"))


def test_alertmanager_names_only_alerts_that_exist() -> None:
    known = {rule["alert"] for rule in (*rules(ALERTS), *rules(SCRAPE))}
    said = yaml.safe_load((CONFIGS / "alertmanager.yaml").read_text(encoding="utf-8"))
    matchers = [
        matcher
        for rule in said["inhibit_rules"]
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
    ]
    named = {name for one in matchers for name in one.split('"')[1].split("|")}
    assert named <= known


def test_a_missing_program_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingProgram, match=r"apt-get install .* prometheus-alertmanager"):
        program("amtool")
