"""Messages as receivers take them: signed as their makers document it; no secret is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
from alert_world import World, alerts_policy, channel
from apprise.plugins.dingtalk import NotifyDingTalk
from receivers import Receivers

from serve_app.alerts.channels.base import NotDelivered
from serve_app.alerts.channels.dingtalk import signed
from serve_app.alerts.channels.feishu import sign
from serve_app.alerts.channels.making import sender
from serve_app.alerts.state import Item, Notice
from serve_app.config.alerts_policy import AlertChannel
from serve_app.core.clock import SystemClock
from serve_app.core.errors import NotFound
from serve_app.store.client import Store

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SECRETS = ("0123456789abcdef", "feishu-secret", "d2ViaG9vay")
NOTICE = Notice(
    id="alert_1",
    alert="ErrorRateHigh",
    severity="critical",
    status="firing",
    group={"backend": "openai"},
    at=1_760_000_000.0,
    runbook="docs/runbooks/ErrorRateHigh.md",
    language="zh",
    service="网关",
    items=[
        Item("ErrorRateHigh", "firing", {"backend": "openai"}, "12%", "12% 的请求失败", 1.76e9),
    ],
)


def made(environ: Mapping[str, str], name: str, kind: str, **more: object) -> AlertChannel:
    return AlertChannel.model_validate(channel(name, kind, **more))


async def send(environ: Mapping[str, str], name: str, kind: str, **more: object) -> None:
    """Send one message."""
    sending = sender(made(environ, name, kind, **more), environ, SystemClock())
    try:
        async with asyncio.timeout(10):
            await sending.send(NOTICE)
    finally:
        sending.close()


async def refused(environ: Mapping[str, str], name: str, kind: str, **more: object) -> str:
    with pytest.raises(NotDelivered) as caught:
        await send(environ, name, kind, **more)
    assert not any(secret in str(caught.value) for secret in SECRETS)
    return str(caught.value)


async def test_dingtalk_takes_a_signed_message(receivers: Receivers) -> None:
    await send(receivers.environ, "dingtalk", "dingtalk", secret_env="DINGTALK_SECRET")
    [body] = receivers.taken("dingtalk")
    lines = body["text"]["content"].split("\n")
    assert lines[0] == "[网关] 告警 严重: ErrorRateHigh"
    assert "告警: 12% 的请求失败" in lines
    assert lines[-1] == "处理方法: docs/runbooks/ErrorRateHigh.md"


async def test_robots_refuse_with_status_200_and_that_is_no_success(receivers: Receivers) -> None:
    environ = {**receivers.environ, "DINGTALK_SECRET": "SECwrong", "FEISHU_SECRET": "wrong"}
    said = await refused(environ, "dingtalk", "dingtalk", secret_env="DINGTALK_SECRET")
    assert said.startswith("it refused the message with code 310000 (the signature, a keyword")
    said = await refused(environ, "feishu", "feishu", secret_env="FEISHU_SECRET")
    assert said.startswith("it refused the message with code 19021 (the signature is wrong")
    environ["WECOM_URL"] = environ["WECOM_URL"][:-1]
    said = await refused(environ, "wecom", "wecom")
    assert said.endswith("code 93000 (the key in its address is not known)")
    environ["DINGTALK_URL"] = environ["DINGTALK_URL"][:-1]
    said = await refused(environ, "dingtalk", "dingtalk")
    assert said == "it refused the message with code 300001 (the access token is not known)"
    assert receivers.taken() == []


async def test_apprises_own_dingtalk_would_lose_messages_unseen(
    receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why we have one of our own: its signature is quoted twice, and the refusal taken for a
    success. When this fails, Apprise has been mended."""
    address = f"{receivers.url}/robot/send?access_token={{token}}"
    monkeypatch.setattr(NotifyDingTalk, "notify_url", address)
    token = receivers.environ["DINGTALK_URL"].partition("=")[2]
    secret = receivers.environ["DINGTALK_SECRET"]
    environ = {"DING_URL": f"dingtalk://{secret}@{token}/"}
    await send(environ, "ding", "apprise")
    assert receivers.seen("/robot/send") == 1
    assert receivers.taken("dingtalk") == []


async def test_feishu_takes_a_signed_message(receivers: Receivers) -> None:
    await send(receivers.environ, "feishu", "feishu", secret_env="FEISHU_SECRET")
    [body] = receivers.taken("feishu")
    assert "12% 的请求失败" in body["content"]["text"]


def test_signatures_are_those_of_the_documents() -> None:
    """Worked out with openssl: `printf '' | openssl dgst -sha256 -hmac $'1599360473\\nSECRET'`; for
    DingTalk `printf '1700000000000\\nSECabc' | openssl dgst -sha256 -hmac SECabc`."""
    assert sign("SECRET", 1599360473) == "dkDGhTZacsd3yXW3YtXxmQjKIazeY68phrEMdV1uoMo="
    assert signed("https://x/send?access_token=t", "SECabc", 1700000000000) == (
        "https://x/send?access_token=t&timestamp=1700000000000&sign=jcUpW0QmtKduN03n4JqQ0PBosVjqnM8gU7fIIvsDmCM%3D"
    )


async def test_wecom_takes_what_fits(receivers: Receivers) -> None:
    await send(receivers.environ, "wecom", "wecom")
    long = Item("A", "firing", {}, "1", "长" * 2000, 1.0)
    channel_ = made(receivers.environ, "wecom", "wecom")
    sending = sender(channel_, receivers.environ, SystemClock())
    notice = Notice("alert_2", "A", "info", "firing", {}, 1.0, "", "zh", "s", [long])
    await sending.send(notice)
    first, second = (body["text"]["content"] for body in receivers.taken("wecom"))
    assert first.startswith("[网关] 告警 严重: ErrorRateHigh")
    assert second.endswith("长…")


async def test_a_webhook_has_it_all_and_a_signature(receivers: Receivers) -> None:
    await send(receivers.environ, "webhook", "webhook", secret_env="WEBHOOK_SECRET")
    [body] = receivers.taken("webhook")
    assert body["items"][0]["labels"] == {"backend": "openai"}
    assert (body["type"], body["id"], body["title"]) == (
        "alert", "alert_1", "[网关] 告警 严重: ErrorRateHigh"
    )  # fmt: skip
    environ = {**receivers.environ, "WEBHOOK_SECRET": "whsec_AAAA"}
    said = await refused(environ, "webhook", "webhook", secret_env="WEBHOOK_SECRET")
    assert said == "it answered 401"
    environ["WEBHOOK_SECRET"] = "whsec_%%%"
    said = await refused(environ, "webhook", "webhook", secret_env="WEBHOOK_SECRET")
    assert said == "its secret is not `whsec_` and base64"


async def test_mail_arrives_by_apprise(receivers: Receivers) -> None:
    await send(receivers.environ, "mail", "apprise")
    [mail] = receivers.taken("mail")
    assert mail["to"] == ["ops@example.org"]
    assert mail["subject"] == "[网关] 告警 严重: ErrorRateHigh"
    assert "12% 的请求失败" in mail["text"]


async def test_addresses_in_files_are_read_for_each_message(
    receivers: Receivers, tmp_path: Path
) -> None:
    file = tmp_path / "address"
    asked = AlertChannel(name="file", kind="webhook", url_file=str(file))
    sending = sender(asked, {}, SystemClock())
    with pytest.raises(NotDelivered, match=r"the file .*address cannot be read or is empty"):
        await sending.send(NOTICE)
    file.write_text(f"{receivers.url}/json\n")
    await sending.send(NOTICE)
    assert len(receivers.taken("json")) == 1


@pytest.mark.parametrize(
    ("name", "address", "kind", "says"),
    [
        ("none", None, "webhook", "the environment variable NONE_URL is not set"),
        ("odd", "ftp://0123456789abcdef", "webhook", "its address does not begin with https://"),
        ("bad", "http://0123456789abcdef:x:y/", "dingtalk", "its address is no URL"),
        ("dead", "http://127.0.0.1:9/0123456789abcdef", "feishu",
         "no connection (ClientConnectorError)"),
        ("gone", "json://127.0.0.1:9/0123456789abcdef", "apprise",
         "the service was not reached, or did not take it"),
        ("strange", "0123456789abcdef", "apprise", "Apprise does not understand its address"),
    ],
)  # fmt: skip
async def test_what_goes_wrong_is_told_without_the_address(
    name: str,
    address: str | None,
    kind: str,
    says: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    environ = {} if address is None else {f"{name.upper()}_URL": address}
    with caplog.at_level(logging.DEBUG):
        assert await refused(environ, name, kind) == says
    assert "0123456789abcdef" not in caplog.text


async def test_no_secret_is_logged_where_all_goes_well(
    receivers: Receivers, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    channels = [
        channel("dingtalk", "dingtalk", secret_env="DINGTALK_SECRET"),
        channel("json", "apprise"),
        channel("mail", "apprise"),
    ]
    world = World(store, receivers.environ)
    engine, _ = world.engine(alerts_policy(channels=channels))
    with caplog.at_level(logging.DEBUG):
        for name in ("json", "mail"):
            await engine.post.test(name)
        await engine.post.test("dingtalk")
    assert not any(secret in caplog.text for secret in SECRETS)
    assert [one["title"] for one in receivers.taken("json")] == ["[serve-app] FIRING info: Test"]


async def test_a_channel_is_tried_out(receivers: Receivers, store: Store) -> None:
    world = World(store, receivers.environ)
    channels = [
        channel("feishu", "feishu"),
        channel("dead", "webhook"),
        channel("hanging", "webhook", timeout_s=0.2),
    ]
    world.environ = {**receivers.environ, "HANGING_URL": f"{receivers.url}/json"}
    receivers.mode("/json", "hang")
    engine, _ = world.engine(alerts_policy(channels=channels))
    with pytest.raises(NotDelivered, match=r"no answer within 0\.2 s"):
        await engine.post.test("hanging")
    with pytest.raises(NotDelivered, match="no connection"):
        await engine.post.test("dead")
    with pytest.raises(NotFound, match="'nobody'; there are: feishu, dead"):
        await engine.post.test("nobody")
