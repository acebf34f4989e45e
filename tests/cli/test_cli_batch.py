"""`serve-app batch` without a cluster: what it says, and the job that it would submit."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from serve_app.batch import options
from serve_app.cli.batch import new_job, run
from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.life.instance import Instance
from serve_app.cli.life.records import ProcessRecord, State, save_record

ORDER = ["in.jsonl", "-o", "out.jsonl", "--prompt", "Say {text}"]


class Dashboard(HTTPServer):
    """Ray's REST interface for jobs, as far as it is used: jobs end as soon as they are asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.jobs: dict[str, dict[str, Any]] = {}
        self.log = ""
        self.ends: dict[str, Any] = {"status": "SUCCEEDED", "driver_exit_code": 0}


class _Handler(BaseHTTPRequestHandler):
    server: Dashboard

    def do_GET(self) -> None:
        name = self.path.removeprefix("/api/jobs/")
        if not name:
            self._say(200, list(self.server.jobs.values()))
        elif name.endswith("/logs"):
            self._say(200, {"logs": self.server.log})
        elif name in self.server.jobs:
            self._say(200, self.server.jobs[name])
            self.server.jobs[name].update(self.server.ends)
        else:
            self._say(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path.endswith("/stop"):
            self.server.jobs[self.path.split("/")[3]]["status"] = "STOPPED"
            self._say(200, {"stopped": True})
            return
        job = json.loads(body)
        self.server.jobs[job["submission_id"]] = job | {
            "status": "RUNNING", "authorization": self.headers["authorization"],
        }  # fmt: skip
        self._say(200, {"submission_id": job["submission_id"]})

    def _say(self, status: int, said: object) -> None:
        content = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words: object) -> None:
        """Says nothing."""


@pytest.fixture
def dashboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dashboard]:
    """A gateway that seems to run, in a folder of its own."""
    monkeypatch.setenv("SERVE_APP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    with Dashboard() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        instance = Instance.of({"SERVE_APP_DATA_DIR": str(tmp_path / "data")})
        instance.make()
        state = State(
            boot_id="b", marker="m", supervisor=ProcessRecord(1, 1), address="http://gateway:1",
            files=[], ports={"dashboard": server.server_port},
        )  # fmt: skip
        save_record(instance.state, state)
        yield server
        server.shutdown()


def submitted(dashboard: Dashboard) -> Any:
    [job] = dashboard.jobs.values()
    return job


def test_without_a_gateway_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVE_APP_DATA_DIR", str(tmp_path))
    with pytest.raises(Failure, match="serve-app up"):
        run(ORDER)


def test_the_job_is_the_same_order_in_words_that_hold_elsewhere(
    dashboard: Dashboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVE_APP_API_KEY", "sk-secret")
    assert run([*ORDER, "--detach", "--budget", "2"]) == 0
    job = submitted(dashboard)
    words = shlex.split(job["entrypoint"])
    given = options.parser().parse_args(words[words.index("run") :])
    order = options.order_of(given, {})
    assert (order.input, order.output) == (str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"))
    assert (order.prompt, order.url, order.show) == ("Say {text}", "http://gateway:1", "json")
    assert order.budget_micro_usd == 2_000_000
    assert "sk-secret" not in json.dumps(job)
    key = Path(given.take_key)
    assert key.read_text(encoding="utf-8") == "sk-secret"
    assert key.stat().st_mode & 0o777 == 0o600
    assert job["authorization"].startswith("Bearer ")


def test_progress_is_followed_to_the_summary(
    dashboard: Dashboard, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = {
        "status": "stopped", "why": "the budget is spent", "output": "o", "fingerprint": "f",
        "rows": 9, "done": 4, "failed": 0, "errors": {}, "cached": 0, "prompt_tokens": 1,
        "completion_tokens": 1, "cost_usd": "1.000000", "cost_per_row_usd": "0.25", "seconds": 1.0,
        "rows_per_s": 4.0, "tokens_per_s": 1.0,
    }  # fmt: skip
    lines: list[Any] = [
        {"says": "Starting"}, {"state": {"rows": 9, "done": 4}}, {"summary": summary},
    ]  # fmt: skip
    dashboard.log = "Ray's own noise\n" + "\n".join(map(json.dumps, lines)) + "\n"
    dashboard.ends = {"status": "FAILED", "driver_exit_code": 3}
    assert run([*ORDER, "--progress", "lines"]) == 3
    out, err = capsys.readouterr()
    assert err.splitlines() == ["Starting", "4/9 rows (44%), 0.0 rows/s, $0.000000"]
    assert out.startswith("Ended early: the budget is spent. 4 of 9 rows are kept")


@pytest.mark.parametrize(
    ("ends", "code", "told"),
    [
        ({"status": "FAILED", "driver_exit_code": 2}, 2, "no column"),
        ({"status": "FAILED", "driver_exit_code": 137}, 1, "killed"),
        ({"status": "FAILED", "driver_exit_code": None}, 1, "no column"),
        ({"status": "STOPPED"}, 130, "stopped"),
    ],
)
def test_a_job_that_came_to_no_summary_says_why(
    dashboard: Dashboard,
    ends: dict[str, Any],
    code: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dashboard.log, dashboard.ends = "there is no column 'a'\n", ends
    assert run([*ORDER, "--quiet"]) == code
    assert told in capsys.readouterr().err


def test_a_batch_that_runs_is_followed_and_other_terms_are_refused(
    dashboard: Dashboard, capsys: pytest.CaptureFixture[str]
) -> None:
    run([*ORDER, "--detach"])
    assert run([*ORDER, "--detach", "--concurrency", "2"]) == 0
    assert "runs already" in capsys.readouterr().err
    assert len(dashboard.jobs) == 1
    with pytest.raises(Failure, match="other terms") as caught:
        run([*ORDER, "--detach", "--model", "other"])
    assert caught.value.exit_code == USAGE


def test_it_is_stopped_by_its_name(
    dashboard: Dashboard, capsys: pytest.CaptureFixture[str]
) -> None:
    run([*ORDER, "--detach"])
    job = capsys.readouterr().out.strip()
    assert run(["--stop", job]) == 0
    assert submitted(dashboard)["status"] == "STOPPED"
    assert run(["--stop", job]) == 0
    assert "ended already" in capsys.readouterr().out
    for words in (["--stop", "nobody"], ["--follow", "nobody"]):
        with pytest.raises(Failure, match="nobody"):
            run(words)


def test_names_of_jobs_are_safe_and_differ() -> None:
    assert new_job("s3://b/odd name?.jsonl.gz", 1.0) == "batch-odd-name--3e8"
    assert new_job("o.csv", 1.0) != new_job("o.csv", 2.0)


def test_help_has_everything_that_the_program_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["--help"])
    told = capsys.readouterr().out
    for word in ("--prompt", "--budget", "--via", "--follow", "--stop", "examples:"):
        assert word in told
