"""`/v1/alerts` over a real engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from ingress.alerts_world import served_alerts

from serve_app.store.embedded import EmbeddedValkey

BOSS = {"authorization": "Bearer boss"}


@pytest.fixture
def url(clean_valkey: EmbeddedValkey) -> Iterator[str]:
    channels = [{"name": "ops", "kind": "webhook", "url_env": "NOT_SET_ANYWHERE"}]
    with served_alerts(clean_valkey.url, channels) as (_, address):
        yield address


def ask(method: str, url: str, status: int = 200, **more: Any) -> Any:
    answer = requests.request(method, url, timeout=20, **{"headers": BOSS, **more})
    assert answer.status_code == status, answer.text
    return answer.json()


def test_an_admin_sees_all_and_others_nothing(url: str) -> None:
    found = ask("GET", f"{url}/v1/alerts")
    [alert] = found["firing"]
    assert (alert["alert"], alert["severity"], alert["value"]) == ("High", "critical", 9.0)
    assert alert["runbook"] == "docs/runbooks/High.md"
    assert [one["what"] for one in found["history"]] == ["fired"]
    assert found["rules"][0]["expr"] == "level > 5"
    assert found["channels"][0]["waiting"] == 1
    for method, path in [
        ("GET", ""), ("GET", "/silences"), ("POST", "/silences"),
        ("DELETE", "/silences/silence_0123456789abcdef"), ("POST", "/test/ops"),
    ]:  # fmt: skip
        said = ask(method, f"{url}/v1/alerts{path}", 403, headers={})
        assert said["error"]["code"] == "admin_required"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"for_s": 60}, "matchers"),
        ({"matchers": [], "for_s": 60}, "matchers"),
        ({"matchers": [{"label": "a b", "value": ""}], "for_s": 60}, "matchers[0].label"),
        ({"matchers": [{"label": "a", "value": "(", "op": "=~"}], "for_s": 60}, "matchers"),
        ({"matchers": [{"label": "a", "value": "b"}], "for_s": 0}, "for_s"),
        ({"matchers": [{"label": "a", "value": "b"}], "for_s": 60, "x": 1}, None),
    ],
)
def test_a_silence_that_cannot_be_is_refused(url: str, body: Any, param: str | None) -> None:
    said = ask("POST", f"{url}/v1/alerts/silences", 400, json=body)
    assert said["error"]["param"] == param


def test_a_silence_that_is_not_there_and_a_channel_that_fails(url: str) -> None:
    ask("DELETE", f"{url}/v1/alerts/silences/silence_0123456789abcdef", 404)
    said = ask("POST", f"{url}/v1/alerts/test/ops", 502)
    assert said["error"]["code"] == "alert_not_delivered"
    ask("POST", f"{url}/v1/alerts/test/nobody", 404)
