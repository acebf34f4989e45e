"""A caller of the gateway beside the browser: plain HTTP, with a key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from page_gateway import ADMIN_KEY

CHAT = "/v1/chat/completions"


class Caller:
    """Sends requests with a key."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._key = key

    def ask(self, text: str, model: str = "cloud/quick", **headers: str) -> tuple[int, Any]:
        """Status and headers of a chat request."""
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        status, got, _ = self.send("POST", CHAT, body, **headers)
        return status, got

    def send(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any, Any]:
        """Status, headers and JSON."""
        data = None if body is None else json.dumps(body).encode()
        return self._send(method, path, data, {"content-type": "application/json", **headers})

    def stream(self, body: object) -> bytes:
        """The events of a streamed answer; of a refused one, nothing."""
        sent = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        request = Request(self._url + CHAT, json.dumps(body).encode(), sent)
        try:
            with urlopen(request, timeout=30) as answer:
                return bytes(answer.read())
        except HTTPError as error:
            error.close()
            return b""

    def as_admin(self, method: str, path: str, body: object = None) -> tuple[int, Any, Any]:
        """The same with an admin's key."""
        return Caller(self._url, ADMIN_KEY).send(method, path, body)

    def upload(self, lines: Sequence[object]) -> str:
        """The id of a file of batch requests."""
        content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        parts = [
            b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n',
            b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n',
            content + b"\r\n--b--\r\n",
        ]
        kind = {"content-type": "multipart/form-data; boundary=b"}
        status, _, body = self._send("POST", "/v1/files", b"".join(parts), kind)
        assert status == 200, body
        return str(body["id"])

    def _send(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> tuple[int, Any, Any]:
        sent = {"authorization": f"Bearer {self._key}", **headers}
        request = Request(self._url + path, data, sent, method=method)
        try:
            with urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, json.loads(answer.read())
        except HTTPError as error:
            with error:
                return error.code, error.headers, json.loads(error.read())
