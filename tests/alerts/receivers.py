"""The process of those who take alerts, as a fixture's value."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from receiver_process import DINGTALK_SECRET, FEISHU_SECRET, TOKEN, WEBHOOK_SECRET

SERVER = Path(__file__).with_name("receiver_process.py")
LIMIT_S = 20.0


class Receivers:
    """Handle of the process; its calls block for a moment."""

    def __init__(self, port: int, smtp_port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.smtp_port = smtp_port
        self.environ = {
            "DINGTALK_URL": f"{self.url}/robot/send?access_token={TOKEN}",
            "DINGTALK_SECRET": DINGTALK_SECRET,
            "FEISHU_URL": f"{self.url}/open-apis/bot/v2/hook/{TOKEN}",
            "FEISHU_SECRET": FEISHU_SECRET,
            "WECOM_URL": f"{self.url}/cgi-bin/webhook/send?key={TOKEN}",
            "WEBHOOK_URL": f"{self.url}/webhook",
            "WEBHOOK_SECRET": WEBHOOK_SECRET,
            "MAIL_URL": f"mailto://127.0.0.1:{smtp_port}?from=gw@example.org&to=ops@example.org"
            "&mode=insecure",
            "JSON_URL": f"json://127.0.0.1:{port}/json",
            "DEAD_URL": "http://127.0.0.1:9/nobody",
        }

    def mode(self, path: str, *steps: str) -> None:
        """How a path answers from now on: statuses, `hang` or `ok`; the last one stays."""
        self._ask("POST", "/mode", {"path": path, "steps": list(steps)})

    def reset(self) -> None:
        self._ask("POST", "/reset")

    def taken(self, kind: str = "") -> list[dict[str, Any]]:
        """Bodies of messages, oldest first; of one kind of receiver."""
        found = self._ask("GET", "/log")["taken"]
        return [one["body"] for one in found if kind in ("", one["kind"])]

    def seen(self, path: str) -> int:
        """How often a path was asked, whatever it answered."""
        return int(self._ask("GET", "/log")["seen"].get(path, 0))

    async def wait(self, kind: str, count: int) -> list[dict[str, Any]]:
        """Messages of one kind of receiver, once there are so many."""
        end = time.monotonic() + LIMIT_S
        while len(found := await asyncio.to_thread(self.taken, kind)) < count:
            assert time.monotonic() < end, f"{len(found)} of {count} messages for {kind}"
            await asyncio.sleep(0.02)
        return found

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def running() -> Iterator[Receivers]:
    process = subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port, smtp_port = process.stdout.readline().split()
        yield Receivers(int(port), int(smtp_port))
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
