"""Tasks of kind `webhook`: somebody is told that a task has ended.

The message is signed (standardwebhooks.com) and goes to an address that was checked: the host's
name is resolved once, and the connection made to what was found. Anything but 2xx is tried again;
redirects are not followed; 410 ends it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult

from serve_app.config.tasks_policy import WebhookPolicy
from serve_app.core.clock import Clock
from serve_app.core.errors import BadRequest, PolicyRejected
from serve_app.tasks.base import Claim, TaskQueue, TaskView
from serve_app.tasks.shown import shown
from serve_app.tasks.signing import Signer, signer_of
from serve_app.tasks.targets import Lookup, Target, TargetUnknown, check_url, resolve
from serve_app.work.ends import TaskEnd
from serve_app.work.progress import Progress

KIND: Final = "webhook"

_GONE: Final = 410
_USER_AGENT: Final = "serve-app-webhook"


class Webhooks:
    """Checks where webhooks may go, and sends them.

    Args:
        environ: has the secrets.
        lookup: how names are resolved; None: as the system does.

    Raises:
        PolicyRejected: a secret is none.
    """

    def __init__(
        self,
        queue: TaskQueue,
        policy: WebhookPolicy,
        environ: Mapping[str, str],
        clock: Clock,
        lookup: Lookup | None = None,
    ) -> None:
        self._queue = queue
        self._environ = environ
        self._clock = clock
        self._lookup = lookup
        self.reconfigure(policy)

    def reconfigure(self, policy: WebhookPolicy) -> None:
        """From the next message on. A bad policy raises `PolicyRejected` and changes nothing."""
        try:
            signer = signer_of(policy.secret_env, self._environ)
        except ValueError as error:
            raise PolicyRejected(f"tasks.webhooks.secret_env: {error}") from None
        self._signer: Signer = signer
        self._policy = policy

    def check(self, url: str) -> None:
        """Look at an address when it is given.

        Raises:
            BadRequest: none goes there, or none goes anywhere.
        """
        if not self._signer:
            raise BadRequest(
                "This gateway sends no webhooks: no secret is set to sign them with "
                "(tasks.webhooks.secret_env).",
                param="webhook",
                code="webhooks_disabled",
            )
        check_url(url, self._policy)

    async def __call__(self, claim: Claim, progress: Progress) -> TaskEnd:
        """Send the one message of a task."""
        policy, signer = self._policy, self._signer
        if not signer:
            return TaskEnd.failed("webhooks_disabled", "No secret is set to sign with", retry=True)
        view = await self._queue.get(None, claim.payload.decode())
        if view is None:
            return TaskEnd.failed("task_forgotten", "There is nothing to tell of", retry=False)
        try:
            target = await resolve(view.webhook, policy, self._lookup)
            body = _message(view)
            headers = signer.headers(claim.task.id, self._clock.wall(), body)
            return await self._sent(target, body, headers, policy.timeout_s)
        except TargetUnknown as error:
            return TaskEnd.failed("webhook_unknown_host", str(error), retry=True)
        except (aiohttp.ClientError, TimeoutError) as error:
            return TaskEnd.failed("webhook_unreachable", type(error).__name__, retry=True)

    async def _sent(
        self, target: Target, body: bytes, headers: dict[str, str], limit_s: float
    ) -> TaskEnd:
        connector = aiohttp.TCPConnector(resolver=_Pinned(target), limit=1, force_close=True)
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=limit_s),
        )
        named = {"content-type": "application/json", "user-agent": _USER_AGENT, **headers}
        async with (
            asyncio.timeout(limit_s),
            session,
            session.post(target.url, data=body, headers=named, allow_redirects=False) as answer,
        ):
            status = answer.status
        if 200 <= status < 300:
            return TaskEnd(b"%d" % status)
        words = f"It answered {status}"
        return TaskEnd.failed("webhook_refused", words, retry=status != _GONE)


class _Pinned(AbstractResolver):
    """Answers with the addresses that were checked, whatever the name has become meanwhile."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=int(socket.AI_NUMERICHOST),
            )
            for address in self._target.addresses
        ]

    async def close(self) -> None:
        """Holds nothing."""


def _message(view: TaskView) -> bytes:
    """As Standard Webhooks lays it out; the data is what `GET /agent/result` answers."""
    at = datetime.fromtimestamp(view.ended_at, UTC).isoformat(timespec="milliseconds")
    message = {"type": f"task.{view.state}", "timestamp": at, "data": shown(view)}
    return msgspec.json.encode(message)
