from __future__ import annotations

import json
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from serve_app.cache.key import LEFT_OUT, fingerprint
from serve_app.core.errors import BadRequest
from serve_app.core.types import ChatParams, ChatRequest, Message

BODY = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}


def request(body: dict[str, Any] | bytes) -> ChatRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return ChatRequest(fields, ChatParams(model="auto", messages=[Message("user", "Hello")]))


def digest(body: dict[str, Any] | bytes, tenant: str = "t", version: str = "1") -> str:
    return fingerprint(request(body), tenant, version)


def with_field(text: str) -> bytes:
    """The body with one more field, written exactly like this."""
    return json.dumps(BODY).encode()[:-1] + b', "x": ' + text.encode() + b"}"


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
bodies = st.dictionaries(
    st.text(max_size=6).filter(lambda name: name not in LEFT_OUT), values, max_size=5
)


def shuffled(value: Any, draw: st.DataObject) -> Any:
    """The same value with the keys of every object in another order."""
    if isinstance(value, dict):
        order = draw.draw(st.permutations(list(value)))
        return {key: shuffled(value[key], draw) for key in order}
    if isinstance(value, list):
        return [shuffled(item, draw) for item in value]
    return value


def normal(value: Any) -> Any:
    """What two equal requests have in common, worked out by other means than the code's."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, int | float):
        is_exact = isinstance(value, int) or abs(value) < 2.0**63
        return ("number", value) if is_exact else ("float", value)
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list):
        return [normal(item) for item in value]
    return {unicodedata.normalize("NFC", key): normal(item) for key, item in value.items()}


@given(bodies, st.data())
def test_order_escapes_and_white_space_do_not_matter(body: dict[str, Any], data: Any) -> None:
    again = json.dumps(shuffled(body, data), ensure_ascii=False, indent=3).encode()
    assert digest(again) == digest(body)


@given(bodies, bodies)
def test_different_requests_have_different_fingerprints(a: Any, b: Any) -> None:
    assume(normal(a) != normal(b))
    assert digest(a) != digest(b)


@given(bodies, st.data())
def test_changing_any_field_changes_the_fingerprint(body: dict[str, Any], data: Any) -> None:
    assume(body)
    name = data.draw(st.sampled_from(sorted(body)))
    new = data.draw(values)
    assume(normal(new) != normal(body[name]))
    assert digest({**body, name: new}) != digest(body)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_does_not_change_the_answer_is_left_out(name: str) -> None:
    assert digest({**BODY, name: "anything"}) == digest(BODY)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"messages": [{"role": "system", "content": "Hello"}]},
        {"messages": [*BODY["messages"], {"role": "user", "content": "Hello"}]},
        {"temperature": 0},
        {"max_tokens": 5},
        {"max_completion_tokens": 5},
        {"stop": ["\n"]},
        {"response_format": {"type": "json_object"}},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"n": 2},
        {"logprobs": True},
        {"seed": 1},
        {"not_known_to_us": 1},
        {"temperature": None},
    ],
)
def test_what_may_change_the_answer_is_in(change: dict[str, Any]) -> None:
    assert digest({**BODY, **change}) != digest(BODY)


def test_the_order_of_messages_matters() -> None:
    two = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    assert digest({"messages": two}) != digest({"messages": two[::-1]})


def test_tenants_and_policies_are_apart() -> None:
    digests = {digest(BODY, "a", "b"), digest(BODY, "ab", ""), digest(BODY, "", "ab")}
    assert len({*digests, digest(BODY, "b", "a")}) == 4


def test_is_a_sha256_in_hex_and_stays_the_same_between_processes() -> None:
    assert digest(BODY) == "3a9578761273cd630b22601c755dca47c7dfd91ee5af878ba86cbd220af31c6e"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("100", "1e2"),
        ("0", "-0.0"),
        ("0.5", "5E-1"),
        ('"e\\u0301"', '"\\u00e9"'),
        ('"\u1100\u1161"', '"\uac00"'),
        ('{"e\u0301": 1, "f": 2}', '{"f": 2, "\u00e9": 1}'),
        ('{"a": 1, "a": 2}', '{"a": 2}'),
        ('"\\/"', '"/"'),
    ],
)
def test_other_ways_to_write_the_same_are_equal(one: str, other: str) -> None:
    assert digest(with_field(one)) == digest(with_field(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", '"1"'),
        ("1", "true"),
        ("null", "1e400"),
        ("1e400", "2e400"),
        ('"1e400"', "1e400"),
        ("1e400", "1e999999999999999999999"),
        ("18446744073709551616", "18446744073709551617"),
        ("9007199254740993", "9007199254740992.0"),
        ('"a"', '"A"'),
        ('" a"', '"a"'),
        ('"\\n\u0303"', '"\\\\\u00f1"'),
        ("[]", "{}"),
        ("[]", "null"),
        ('"\ufb01"', '"fi"'),
    ],
)
def test_what_only_looks_alike_is_different(one: str, other: str) -> None:
    assert digest(with_field(one)) != digest(with_field(other))


@pytest.mark.parametrize(
    "raw", [b"NaN", b'"\xff"', b'"\\ud800"', b"9" * 5000, b"[" * 100_000 + b"]" * 100_000]
)
def test_a_field_that_cannot_be_read_is_the_callers_fault_and_named(raw: bytes) -> None:
    fields = {**request(BODY).fields, "odd": msgspec.Raw(raw)}
    with pytest.raises(BadRequest) as refused:
        fingerprint(ChatRequest(fields, request(BODY).params), "t", "1")
    assert refused.value.param == "odd"
