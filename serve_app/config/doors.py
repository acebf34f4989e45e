"""Who can reach a listener, and whether a policy may leave it without keys."""

from __future__ import annotations

from ipaddress import ip_address

from serve_app.config.policy import AdmissionPolicy


def is_loopback(host: str) -> bool:
    """Whether only programs of the same machine reach what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def left_open(admission: AdmissionPolicy, host: str) -> str:
    """What is wrong with a policy for what listens at `host`; empty: nothing."""
    if admission.require_key or admission.anyone_may_ask or is_loopback(host):
        return ""
    return (
        f"is false, and http_options.host {host!r} lets others reach the gateway: set it to true, "
        "listen on 127.0.0.1, or say `anyone_may_ask: true` beside it"
    )
