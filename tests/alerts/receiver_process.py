"""Those who take alerts, for tests: a process with an HTTP server and an SMTP server.

The robots check signatures as their makers document it, and answer refusals with status 200, as
the real ones do. `GET /log` has what was taken; `POST /mode` says how a path answers from now on.
"""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from aiosmtpd.smtp import SMTP

DINGTALK_SECRET = "SEC0123456789abcdef0123456789abcdef"
FEISHU_SECRET = "feishu-secret-xyz"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"webhook-secret-for-tests").decode()
TOKEN = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
_HOUR_S = 3600


class Receivers:
    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.modes: dict[str, list[str]] = {}
        self.seen: dict[str, int] = {}

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/log", self.log)
        app.router.add_post("/mode", self.mode)
        app.router.add_post("/reset", self.reset)
        app.router.add_post("/robot/send", self.dingtalk)
        app.router.add_post("/open-apis/bot/v2/hook/{token}", self.feishu)
        app.router.add_post("/cgi-bin/webhook/send", self.wecom)
        app.router.add_post("/webhook", self.webhook)
        app.router.add_post("/json", self.plain)
        return app

    async def log(self, request: web.Request) -> web.Response:
        return web.json_response({"taken": self.taken, "seen": self.seen})

    async def mode(self, request: web.Request) -> web.Response:
        """`{"path": ..., "steps": ["500", "hang", "ok"]}`: of the next ones; the last stays."""
        asked = await request.json()
        self.modes[asked["path"]] = asked["steps"]
        return web.json_response({})

    async def reset(self, request: web.Request) -> web.Response:
        self.taken, self.modes, self.seen = [], {}, {}
        return web.json_response({})

    async def _refusal(self, request: web.Request) -> web.Response | None:
        self.seen[request.path] = self.seen.get(request.path, 0) + 1
        steps = self.modes.get(request.path, ["ok"])
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if step == "hang":
            await asyncio.sleep(60)
        return None if step == "ok" else web.Response(status=int(step))

    async def dingtalk(self, request: web.Request) -> web.Response:
        """open.dingtalk.com: `sign` is the base64 of HMAC-SHA256 of `timestamp\\nsecret` with the
        secret as key, URL-encoded (once); the timestamp in milliseconds, no hour off."""
        if (refusal := await self._refusal(request)) is not None:
            return refusal
        query = dict(parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True))
        if query.get("access_token") != TOKEN:
            return web.json_response({"errcode": 300001, "errmsg": "token is not exist"})
        signed = f"{query.get('timestamp')}\n{DINGTALK_SECRET}".encode()
        digest = hmac.new(DINGTALK_SECRET.encode(), signed, hashlib.sha256).digest()
        wanted = base64.b64encode(digest).decode()
        at = int(query.get("timestamp", "0")) / 1000
        if query.get("sign") != wanted or abs(time.time() - at) > _HOUR_S:
            return web.json_response({"errcode": 310000, "errmsg": "sign not match"})
        return await self._take("dingtalk", request, {"errcode": 0, "errmsg": "ok"})

    async def feishu(self, request: web.Request) -> web.Response:
        """open.feishu.cn: `sign` is the base64 of HMAC-SHA256 of an empty text with
        `timestamp\\nsecret` as key; the timestamp in seconds, no hour off."""
        if (refusal := await self._refusal(request)) is not None:
            return refusal
        body = await request.json()
        key = f"{body.get('timestamp')}\n{FEISHU_SECRET}".encode()
        wanted = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
        is_late = abs(time.time() - int(body.get("timestamp", "0"))) > _HOUR_S
        if body.get("sign") != wanted or is_late:
            said = {"code": 19021, "msg": "sign match fail or timestamp is not within one hour"}
            return web.json_response(said)
        return await self._take("feishu", request, {"code": 0, "msg": "success", "data": {}})

    async def wecom(self, request: web.Request) -> web.Response:
        if (refusal := await self._refusal(request)) is not None:
            return refusal
        if request.query.get("key") != TOKEN:
            return web.json_response({"errcode": 93000, "errmsg": "invalid webhook url"})
        content = (await request.json())["text"]["content"]
        if len(content.encode()) > 2048:
            return web.json_response({"errcode": 40058, "errmsg": "content size exceeds"})
        return await self._take("wecom", request, {"errcode": 0, "errmsg": "ok"})

    async def webhook(self, request: web.Request) -> web.Response:
        """standardwebhooks.com"""
        if (refusal := await self._refusal(request)) is not None:
            return refusal
        names = ("webhook-id", "webhook-timestamp")
        signed = ".".join(request.headers.get(name, "") for name in names).encode()
        signed += b"." + await request.read()
        key = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
        digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if request.headers.get("webhook-signature") != f"v1,{digest}":
            return web.Response(status=401)
        return await self._take("webhook", request, {})

    async def plain(self, request: web.Request) -> web.Response:
        if (refusal := await self._refusal(request)) is not None:
            return refusal
        return await self._take("json", request, {})

    async def _take(self, kind: str, request: web.Request, answer: Any) -> web.Response:
        self.taken.append({"kind": kind, "body": await request.json()})
        return web.json_response(answer)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Of aiosmtpd."""
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        part = message.get_body(("plain", "html"))
        self.taken.append(
            {
                "kind": "mail",
                "body": {
                    "to": envelope.rcpt_tos,
                    "subject": message["subject"],
                    "text": "" if part is None else part.get_content(),
                },
            }
        )
        return "250 OK"


async def main() -> None:
    receivers = Receivers()
    runner = web.AppRunner(receivers.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    loop = asyncio.get_running_loop()
    smtp = await loop.create_server(lambda: SMTP(receivers), "127.0.0.1", 0)
    http_port = runner.addresses[0][1]
    print(http_port, smtp.sockets[0].getsockname()[1], flush=True)
    await smtp.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
