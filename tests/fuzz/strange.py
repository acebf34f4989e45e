"""Strange things to send: fields, paths, queries, headers and frames, and strategies for more."""

from __future__ import annotations

import json
from urllib.parse import quote

from fuzz_house import ACME
from hypothesis import strategies as st

FIELDS = sorted(
    {
        "model", "messages", "prompt", "input", "message", "session_id", "request", "tags", "n",
        "answer", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "seed",
        "stream", "stream_options", "logit_bias", "logprobs", "top_logprobs", "tools",
        "tool_choice", "response_format", "reasoning_effort", "user", "metadata", "system",
        "top_k", "thinking", "dimensions", "encoding_format", "suffix", "best_of", "endpoint",
        "serve_app.raw", "",
    }
)  # fmt: skip

STRANGE = [
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e-999", b"1" * 400, b"-9223372036854775809",
    b"18446744073709551616", b"1.0", b"-0.0", b"0.1e1", b"01", b"+1", b".5", b"null", b"true",
    b"[]", b"{}", b'""', b'" "', rb'"\ud800"', rb'"\udc00\ud800"', rb'"\u0000"', b'"\x00"',
    b'"\xff"', b'"\xc0\xaf"', b'"\xed\xa0\x80"', rb'"\uD83D\uDE00"', b'"\xf0\x9f\x98\x80"', b"'a'",
    b"[" * 5000, b'{"a":' * 5000, b"[" * 5000 + b"]" * 5000, b"[[[[[[[[1]]]]]]]]", b"[null]",
    b'[{"role":null}]', b'[{"role":"user","content":[{"type":"text"}]}]',
    b'[{"role":"user","content":[{"type":"text","text":null}]}]',
    b'[{"role":"assistant","tool_calls":[{"function":null}]}]',
    b'[{"role":"tool","tool_call_id":"x","content":"y"}]', b'{"a":1,"a":2}',
    b'[{"type":"function"}]', b'[{"type":"function","function":{"name":"f"}}]',
    b'"' + b"a" * 9999 + b'"',
]  # fmt: skip
"""JSON, nearly JSON, and not JSON at all."""

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner),
    max_leaves=12,
)
fragments = st.sampled_from(STRANGE) | values.map(lambda value: json.dumps(value).encode())


def written(path: str) -> st.SearchStrategy[bytes]:
    """A path in other ways to write it, some of which mean the same."""
    raw = path.encode()
    places = st.integers(0, len(raw) - 1)
    extra = st.sampled_from(
        [b"/", b"//", b"/.", b"/..", b";x=y", b"%2F", b"%2f", b"%00", b"%", b"%zz", b"\\", b"%5C",
         b"?", b"?a=/v1/models", b"#x", b"%23", b"%3F", b"%0d%0a", b"\xc3\xa9", b"\xff", b"%ff",
         b"*", b"%252F", b"%c0%af", b"\t"]
    )  # fmt: skip

    def encoded(at: int) -> bytes:
        return raw[:at] + b"%%%02X" % raw[at] + raw[at + 1 :]

    def cased(at: int) -> bytes:
        return raw[:at] + raw[at : at + 1].swapcase() + raw[at + 1 :]

    def grown(at: int, what: bytes) -> bytes:
        return raw[: at + 1] + what + raw[at + 1 :]

    return st.one_of(
        places.map(encoded),
        places.map(cased),
        st.builds(grown, places, extra),
        st.sampled_from(
            [b"http://t" + raw, b"//t" + raw, b"/." + raw, b"/v1/.." + raw, b"/x/..%2f" + raw,
             b"*", b"", b"/", b"/v1", raw.upper(), raw + b"/", raw + b"%20"]
        ),
    )  # fmt: skip


terms = st.one_of(
    st.text(max_size=12).map(quote),
    st.binary(max_size=6).map(quote),
    st.from_regex(r"0{0,12}[0-9]{1,12}", fullmatch=True),
    st.sampled_from(
        ["", "0", "-1", "+1", "1e1", "1.0", "0x1", "%30", "%C2%B2", "%D9%A1", "1_0", "%201", "91",
         "00901234567", "0000000019999999999", "9" * 400, "%", "%zz", "%00", "%ff", "a" * 5000,
         "1&days=2", "1;limit=2", "1&" + "&".join(["x=1"] * 50)]
    ),
)  # fmt: skip


names = st.sampled_from(
    [b"Authorization", b"AUTHORIZATION", b"authorization", b"x-api-key", b"X-API-Key",
     b"Cache-Control", b"x-serve-app-cache-tags", b"x-serve-app-priority", b"x-request-id",
     b"Content-Type", b"Accept", b"Accept-Language", b"anthropic-version", b"Cookie",
     b"X-Forwarded-For", b"Expect", b"Upgrade", b"Range", b"Host", b"Via", b"Traceparent",
     b"x-request-timeout-seconds", b"serve_multiplexed_model_id"]
)  # fmt: skip
contents = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [b"", b" ", b"\t", b"Bearer", b"Bearer ", b"bearer " + ACME.key.encode(),
         b"BEARER\t" + ACME.key.encode(), b"Bearer  " + ACME.key.encode() + b"  ",
         b"Basic " + ACME.key.encode(), b"Bearer " + b"a" * 20_000, b"Bearer \xe9\xff",
         b"Bearer \xf0\x9f\x98\x80", ACME.key.encode(), b"max-age=" + b"9" * 30, b"max-age=-1",
         b"max-age=\xb2", b"no-cache, no-store, max-age=0, only-if-cached=", b"a," * 40,
         b"x" * 100, b"batch", b"BATCH ", b"100-continue", b"websocket", b"bytes=0-",
         b"0.0001", b"NaN", b"-1", b"zh;q=2, *;q=nan, en;q=-1", b"," * 500]
    ),
)  # fmt: skip


FRAMES = [
    ([(b"Transfer-Encoding", b"chunked")], b"2\r\n{}\r\n0\r\n\r\n"),
    ([(b"Transfer-Encoding", b"chunked")], b"zz\r\n{}\r\n0\r\n\r\n"),
    ([(b"Transfer-Encoding", b"chunked")], b"-2\r\n{}\r\n0\r\n\r\n"),
    ([(b"Transfer-Encoding", b"chunked")], b"FFFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"),
    ([(b"Transfer-Encoding", b"chunked")], b"2;x=y\r\n{}\r\n0\r\nX-Api-Key: k\r\n\r\n"),
    ([(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"2")], b"2\r\n{}\r\n0\r\n\r\n"),
    ([(b"Transfer-Encoding", b"gzip")], b"{}"),
    ([(b"Transfer-Encoding", b"gzip, chunked")], b"2\r\n{}\r\n0\r\n\r\n"),
    ([(b"Transfer-Encoding", b"chunked, identity")], b"2\r\n{}\r\n0\r\n\r\n"),
    ([(b"Transfer-Encoding", b"xchunked")], b"{}"),
    ([(b"Content-Length", b"-1")], b"{}"),
    ([(b"Content-Length", b"+2")], b"{}"),
    ([(b"Content-Length", b"2"), (b"Content-Length", b"3")], b"{}"),
    ([(b"Content-Length", b"2, 2")], b"{}"),
    ([(b"Content-Length", b"9" * 40)], b"{}"),
    ([(b"Content-Length", b"0x2")], b"{}"),
    ([(b"Content-Length", b"\xb2")], b"{}"),
    ([(b"Content-Encoding", b"br"), (b"Content-Length", b"2")], b"{}"),
    ([], b""),
    ([], b"{}"),
    ([(b"Expect", b"100-continue"), (b"Content-Length", b"2")], b"{}"),
    ([(b"A" * 70_000, b"b"), (b"Content-Length", b"2")], b"{}"),
    ([(b"A", b"b\r\n c"), (b"Content-Length", b"2")], b"{}"),
    ([(b"A", b"b\nC: d"), (b"Content-Length", b"2")], b"{}"),
    ([(b"A B", b"c"), (b"Content-Length", b"2")], b"{}"),
    ([(b"A", b"\x00"), (b"Content-Length", b"2")], b"{}"),
]  # fmt: skip
