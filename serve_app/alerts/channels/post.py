"""JSON by POST, for the channels that are plain HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec

from serve_app.alerts.channels.base import NotDelivered

_USER_AGENT: Final = "serve-app-alerts"
_MAX_ANSWER: Final = 64 << 10


async def post(url: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """Send it; what a 2xx says. Redirects are not followed.

    Raises:
        NotDelivered: no connection, or another status.
    """
    if not url.startswith(("https://", "http://")):
        raise NotDelivered("its address does not begin with https://")
    named = {
        "content-type": "application/json; charset=utf-8",
        "user-agent": _USER_AGENT,
        **(headers or {}),
    }
    try:
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(url, data=body, headers=named, allow_redirects=False) as answer,
        ):
            said = await answer.content.read(_MAX_ANSWER)
            status = answer.status
    except aiohttp.InvalidURL:
        raise NotDelivered("its address is no URL") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # Its text may have the address in it.
        raise NotDelivered(f"no connection ({type(error).__name__})") from None
    if not 200 <= status < 300:
        raise NotDelivered(f"it answered {status}")
    return said


async def post_to_robot(
    url: str, body: Any, names: tuple[str, ...], known: Mapping[int, str]
) -> None:
    """Send to a robot of a chat, which answers 200 even if it refuses.

    Args:
        names: fields of the answer that may have its code; 0: it was taken.
        known: what codes mean.

    Raises:
        NotDelivered
    """
    said = await post(url, msgspec.json.encode(body))
    try:
        answer = msgspec.json.decode(said, type=dict[str, Any])
    except msgspec.DecodeError:
        raise NotDelivered("its answer is not that of a robot") from None
    code = next((answer[name] for name in names if name in answer), None)
    if code == 0 and not isinstance(code, bool):
        return
    if not isinstance(code, int):
        raise NotDelivered("its answer has no code")
    why = f" ({known[code]})" if code in known else ""
    raise NotDelivered(f"it refused the message with code {code}{why}")


def cut(text: str, limit: int) -> str:
    """As much of a text as fits into so many bytes of UTF-8."""
    content = text.encode()
    if len(content) <= limit:
        return text
    return content[: limit - 3].decode(errors="ignore") + "…"
