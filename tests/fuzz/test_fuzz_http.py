"""Requests that no client library would send: a clear refusal in the route's own form, at once.

Never a 5xx, never a hang; and afterwards the gateway answers as if nothing had been.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
import strange
from fuzz_house import ACME, ADMIN_KEY, ZETA, Running
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_http import Answer, assert_shape, exchange, request

from serve_app.wire.openapi.document import document

CHAT = {"model": "ok", "messages": [{"role": "user", "content": "hello"}]}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/messages": {**CHAT, "max_tokens": 50},
    "/v1/messages/count_tokens": CHAT,
    "/v1/completions": {"model": "ok", "prompt": "hello"},
    "/v1/embeddings": {"model": "vec", "input": "hello"},
    "/v1/route": CHAT,
    "/agent/chat": {"message": "hello"},
    "/v1/cache/warm": {"request": CHAT},
}
"""A good body for each route that takes one."""
ROUTES = json.loads(document())["paths"]
JSON = (b"Content-Type", b"application/json")
KEYS = [(b"Authorization", f"Bearer {tenant.key}".encode()) for tenant in (ACME, ZETA)]

quick = settings(max_examples=120, derandomize=True, deadline=None, database=None)


@pytest.fixture(autouse=True)
def afterwards(house: Running) -> Iterator[None]:
    yield
    answer = exchange(house.port, _good("/v1/chat/completions"))
    assert answer is not None
    assert answer.status == 200


def _good(path: str, *headers: tuple[bytes, bytes]) -> bytes:
    body = json.dumps(BODIES[path]).encode()
    return request(path.encode(), body, [JSON, KEYS[0], *headers])


def judge(answer: Answer | None, path: str = "/v1/chat/completions") -> Answer:
    """What holds of every answer."""
    assert answer is not None, "the connection was closed without a word"
    assert answer.status < 500, answer
    if answer.status >= 400 and not answer.not_http:
        assert answer.headers["content-type"] == "application/json"
        assert_shape(answer.body, anthropic=path.startswith("/v1/messages"))
    return answer


# ------------------------------------------------------------------- bodies


def _body(path: str, field: str, fragment: bytes, *, double: bool) -> bytes:
    """The route's good body with one field in another way; twice in it, if it had it before."""
    good = [
        (name, json.dumps(value).encode())
        for name, value in BODIES[path].items()
        if double or name != field
    ]
    pairs = [*good, (field, fragment)]
    return b"{" + b",".join(b"%b:%b" % (json.dumps(n).encode(), v) for n, v in pairs) + b"}"


@pytest.mark.parametrize("path", BODIES)
@quick
@given(st.sampled_from(strange.FIELDS), strange.fragments, st.booleans(), st.sampled_from(KEYS))
def test_a_field_of_any_kind(
    house: Running, path: str, field: str, fragment: bytes, double: bool, key: tuple[bytes, bytes]
) -> None:
    body = _body(path, field, fragment, double=double)
    judge(exchange(house.port, request(path.encode(), body, [JSON, key])), path)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("text", [b'"\xff"', b'"\xc0\xaf"', b'"\xed\xa0\x80"'])
@pytest.mark.parametrize("field", ["message", "user", "of-nobody", ""])
def test_text_that_is_no_utf8(house: Running, path: str, text: bytes, field: str) -> None:
    """Not in a field that nobody reads, either: it would be passed on."""
    body = _body(path, field, text, double=False)
    answer = exchange(house.port, request(path.encode(), body, [JSON, KEYS[0]]))
    assert judge(answer, path).status == 400


@pytest.mark.parametrize("path", BODIES)
@quick
@given(
    st.binary(max_size=60) | st.sampled_from(strange.STRANGE) | st.text(max_size=40).map(str.encode)
)
def test_a_body_of_any_bytes(house: Running, path: str, body: bytes) -> None:
    answer = judge(exchange(house.port, request(path.encode(), body, [JSON, KEYS[0]])), path)
    assert answer.status >= 400


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le", "utf-8-sig", "gzip"])
def test_a_body_in_another_encoding(house: Running, path: str, encoding: str) -> None:
    text = json.dumps(BODIES[path])
    body = gzip.compress(text.encode()) if encoding == "gzip" else text.encode(encoding)
    coding = [(b"Content-Encoding", b"gzip")] if encoding == "gzip" else []
    answer = exchange(house.port, request(path.encode(), body, [JSON, KEYS[0], *coding]))
    assert judge(answer, path).status == 400


# -------------------------------------------------------------------- paths

BELOW = re.compile(r"/v1/keys/[^/]+|/v1/models/.*", re.DOTALL)
"""Paths with a value in them."""


@pytest.mark.parametrize("path", [*BODIES, "/v1/keys", "/v1/cache", "/v1/usage", "/v1/models"])
@quick
@given(st.data())
def test_a_path_in_any_writing(house: Running, path: str, data: st.DataObject) -> None:
    written = data.draw(strange.written(path))
    body = json.dumps(BODIES.get(path, {})).encode()
    answer = exchange(house.port, request(written, body, [JSON, KEYS[0]]))
    assert answer is not None
    if answer.not_http:
        return
    meant = unquote_to_bytes(written.partition(b"?")[0].partition(b"#")[0])
    meant = meant.removeprefix(b"http://t")
    known = meant.decode("utf-8", "replace")
    judge(answer, known if known in BODIES else "")
    is_route = known in ("/", *ROUTES) or BELOW.fullmatch(known) is not None
    assert (answer.status == 404) != is_route, (written, answer)


@pytest.mark.parametrize(
    "method", [b"GET", b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT",
               b"post", b"Post", b"FOO", b"PROPFIND", b"POST\t", b"P" * 5000, b"\xff", b"PRI"]
)  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/keys", "/v1/models"])
def test_a_method_of_any_name(house: Running, method: bytes, path: str) -> None:
    data = request(path.encode(), b"{}", [JSON, KEYS[0]], method)
    answer = exchange(house.port, data, method.decode("latin-1"))
    if method == b"HEAD":
        assert answer is not None
        assert answer.status in (200, 403, 405)
    else:
        judge(answer, path)


# ------------------------------------------------------------------ queries

ASKED = {
    "/v1/usage": ["days", "tenant"],
    "/v1/cache/top": ["limit", "tenant"],
    "/v1/keys": ["limit", "after", "tenant"],
}


@pytest.mark.parametrize("path", ASKED)
@quick
@given(st.data())
def test_a_query_of_any_kind(house: Running, path: str, data: st.DataObject) -> None:
    name, term = data.draw(st.sampled_from(ASKED[path])), data.draw(strange.terms)
    admin = (b"x-api-key", ADMIN_KEY.encode())
    written = f"{path}?{name}={term}".encode()
    key = KEYS[0] if path == "/v1/usage" else admin
    answer = judge(exchange(house.port, request(written, b"", [key], b"GET")), path)
    if name in ("days", "limit") and term.isdigit():
        assert (answer.status == 200) == (1 <= int(term) <= (90 if name == "days" else 1000))


# ------------------------------------------------------------------ headers


@pytest.mark.parametrize("path", BODIES)
@quick
@given(st.lists(st.tuples(strange.names, strange.contents), min_size=1, max_size=4), st.booleans())
def test_headers_of_any_kind(
    house: Running, path: str, headers: list[tuple[bytes, bytes]], first: bool
) -> None:
    body = json.dumps(BODIES[path]).encode()
    both = [KEYS[0], *headers] if first else [*headers, KEYS[0]]
    answer = exchange(house.port, request(path.encode(), body, [JSON, *both]))
    if answer is not None and answer.status == 504:  # only-if-cached, and it is not
        assert any(name == b"Cache-Control" for name, _ in headers)
        return
    judge(answer, path)


# ------------------------------------------------------------------ framing


@pytest.mark.parametrize(("headers", "body"), strange.FRAMES)
def test_a_body_in_any_framing(
    house: Running, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    data = request(b"/v1/chat/completions", body, [JSON, KEYS[0], *headers], sized=False)
    answer = exchange(house.port, data)
    assert judge(answer).status in (400, 413)
