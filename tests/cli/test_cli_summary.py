"""The last lines of `up`, and what is said about backends."""

from __future__ import annotations

import shlex

from serve_app.cli.life.apps import failing_checks
from serve_app.cli.life.serve_api import gist
from serve_app.cli.summary import backend_lines, curl, unsaid

READINESS = {
    "status": "ready",
    "checks": {
        "redis": {"ok": True, "detail": "answered in 0.2 ms"},
        "backends": {
            "openai": {"ok": True, "detail": ""},
            "qwen": {"ok": False, "detail": "off: DASHSCOPE_API_KEY is not set"},
            "local": {"ok": False, "detail": "not running (yet)"},
        },
    },
}


def test_each_backend_is_on_or_off_with_the_reason() -> None:
    assert backend_lines(READINESS) == [
        "openai  on",
        "qwen    off: DASHSCOPE_API_KEY is not set",
        "local   off: not running (yet)",
    ]


def test_an_answer_of_another_shape_is_no_crash() -> None:
    assert backend_lines({}) == backend_lines({"checks": 1}) == []
    assert failing_checks({"checks": []}) == failing_checks(None) == ""


def test_a_notice_about_a_backend_that_has_a_line_is_not_said_twice() -> None:
    notices = ["qwen is off: DASHSCOPE_API_KEY is not set", "no local model: no vLLM"]
    assert unsaid(notices, backend_lines(READINESS)) == ["no local model: no vLLM"]


def test_failing_checks_are_named() -> None:
    said = {"checks": {"redis": {"ok": False, "detail": "refused"}, "backends": {}}}
    assert failing_checks(said) == "redis: refused"


def test_the_curl_line_is_one_command_for_a_shell() -> None:
    words = shlex.split(curl("http://h:1", needs_key=False))
    assert words[:2] == ["curl", "http://h:1/v1/chat/completions"]
    assert "$SERVE_APP_API_KEY" in curl("http://h:1", needs_key=True)


def test_the_gist_of_a_traceback_is_its_error() -> None:
    said = 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: no such tier\n'
    assert gist(said) == "ValueError: no such tier"
    assert gist("just words") == "just words"
    assert gist("") == ""


def test_the_gist_of_serves_own_report_is_the_error_in_it() -> None:
    said = (
        "The deployment failed to start 3 times in a row. See controller logs for details. Error:\n"
        "ray.exceptions.RayTaskError(RuntimeError): ray::ServeReplica (pid=1)\n"
        "    raise RuntimeError(traceback.format_exc()) from None\n"
        "RuntimeError: Traceback (most recent call last):\n"
        "  File 'engine.py', line 3, in start\n"
        "RuntimeError: operator torchvision::nms does not exist\n"
    )
    assert gist(said) == "RuntimeError: operator torchvision::nms does not exist"
