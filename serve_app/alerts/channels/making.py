"""From a channel of the policy to what sends its messages."""

from __future__ import annotations

from collections.abc import Mapping

from serve_app.alerts.channels.base import Sender
from serve_app.alerts.channels.dingtalk import DingTalk
from serve_app.alerts.channels.feishu import Feishu
from serve_app.alerts.channels.secret import address_of, secret_of
from serve_app.alerts.channels.through_apprise import ThroughApprise
from serve_app.alerts.channels.webhook import Webhook
from serve_app.alerts.channels.wecom import WeCom
from serve_app.config.alerts_policy import AlertChannel
from serve_app.core.clock import Clock


def sender(channel: AlertChannel, environ: Mapping[str, str], clock: Clock) -> Sender:
    """Nothing is read or opened before the first message."""
    address, secret = address_of(channel, environ), secret_of(channel, environ)
    match channel.kind:
        case "apprise":
            return ThroughApprise(address, channel.name)
        case "dingtalk":
            return DingTalk(address, secret, clock)
        case "feishu":
            return Feishu(address, secret, clock)
        case "wecom":
            return WeCom(address)
        case "webhook":
            return Webhook(address, secret, clock)
