"""What a key may do, and how its record is kept."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.admission.allowed import allowed, allowed_models
from serve_app.admission.caller import NOBODY, caller, caller_of_policy
from serve_app.admission.own_limits import checked
from serve_app.admission.records import (
    UnreadableRecord,
    changed,
    of_terms,
    pack,
    retiring,
    successor,
    unpack,
)
from serve_app.config.policy import KeyPolicy, LimitPolicy
from serve_app.core.errors import BadRequest, Blocked, Unauthorized
from serve_app.core.key_record import KeyChange, KeyRecord, KeyTerms

SHA = "ab" * 32


def record(**fields: object) -> KeyRecord:
    return KeyRecord(SHA, "acme", **fields)  # type: ignore[arg-type]


# ---------------------------------------------------------------- permissions


@pytest.mark.parametrize(
    ("names", "model", "may"),
    [
        ((), "anything", True),
        (("gpt-4o",), "gpt-4o", True),
        (("gpt-4o",), "GPT-4O", True),
        (("GPT-4o",), "gpt-4O", True),
        (("gpt-4o",), "gpt-4o-mini", False),
        (("gpt-*",), "gpt-4o-mini", True),
        (("gpt-*",), "openai/gpt-4o", True),
        (("openai/gpt-4o",), "openai/gpt-4o", True),
        (("openai/gpt-4o",), "gpt-4o", False),
        (("openai/gpt-4o",), "other/gpt-4o", False),
        (("openai/*",), "openai/o3", True),
        (("openai/*",), "other/openai/o3", True),
        (("gpt-4o",), "auto", False),
        (("gpt-4o",), "", False),
        (("*",), "anything", True),
        (("gpt-4o",), " gpt-4o", False),
        (("gpt-4o",), "x/y/gpt-4o", False),
    ],
)
def test_models(names: tuple[str, ...], model: str, may: bool) -> None:
    assert allowed_models(names).has(model) is may
    known = caller(record(models=names))
    if may:
        known.check_model(model)
        return
    with pytest.raises(Blocked) as refused:
        known.check_model(model)
    assert (refused.value.code, refused.value.param) == ("model_not_allowed", "model")


@pytest.mark.parametrize(
    ("names", "path", "may"),
    [
        ((), "/v1/anything", True),
        (("/v1/chat/completions",), "/v1/chat/completions", True),
        (("/v1/chat/completions",), "/v1/chat/completions/", False),
        (("/v1/chat/completions",), "/V1/chat/completions", False),
        (("/v1/*",), "/v1/embeddings", True),
        (("/v1/*",), "/agent/chat", False),
    ],
)
def test_paths(names: tuple[str, ...], path: str, may: bool) -> None:
    assert allowed(names).has(path) is may
    known = caller(record(paths=names))
    if may:
        known.check_path(path)
        return
    with pytest.raises(Blocked) as refused:
        known.check_path(path)
    assert (refused.value.code, refused.value.param) == ("route_not_allowed", "paths")


def test_nobody_in_particular_may_all() -> None:
    NOBODY.check_valid(0.0)
    NOBODY.check_model("any")
    NOBODY.check_path("/any")
    assert (NOBODY.priority, NOBODY.limits) == ("interactive", None)


# ------------------------------------------------------------------- validity


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, None),
        ({"expires_at": 101}, None),
        ({"expires_at": 100}, "key_expired"),
        ({"retires_at": 100}, "key_expired"),
        ({"retires_at": 101, "expires_at": 200}, None),
        ({"disabled": True}, "key_disabled"),
        ({"disabled": True, "expires_at": 1}, "key_disabled"),
    ],
)
def test_validity(fields: dict[str, object], code: str | None) -> None:
    known = caller(record(**fields))
    if code is None:
        known.check_valid(100.0)
        return
    with pytest.raises(Unauthorized) as refused:
        known.check_valid(100.0)
    assert refused.value.code == code


def test_a_key_of_the_policy_has_all_that_one_of_redis_has() -> None:
    policy = KeyPolicy.model_validate(
        {
            "sha256": SHA,
            "tenant": "acme",
            "team": "blue",
            "models": ["gpt-*"],
            "paths": ["/v1/*"],
            "limits": {"requests_per_minute": 7, "budget": {"month": 50}},
            "priority": "batch",
            "expires": "2030-01-01",
        }
    )
    known = caller_of_policy(policy)
    assert (known.identity.team, known.identity.user, known.priority) == ("blue", SHA[:12], "batch")
    assert known.limits == policy.limits
    known.check_valid(1893455999.0)
    with pytest.raises(Unauthorized, match="expired"):
        known.check_valid(1893456000.0)
    with pytest.raises(Blocked):
        known.check_model("claude")


@pytest.mark.parametrize(
    "expires", [1893456000, "2030-01-01T08:00:00+08:00", "2030-01-01T00:00:00Z"]
)
def test_an_end_is_written_in_several_ways(expires: object) -> None:
    policy = KeyPolicy.model_validate({"sha256": SHA, "tenant": "t", "expires": expires})
    found = caller_of_policy(policy).record
    assert found is not None
    assert found.expires_at == 1893456000


# --------------------------------------------------------------------- limits


def test_limits_of_a_key_are_checked_like_the_policys() -> None:
    assert checked({}) is None
    assert checked({"parallel": 3}) == LimitPolicy(parallel=3)
    for limits, param in [
        ({"parallel": -1}, "limits.parallel"),
        ({"budget": {"day": "much"}}, "limits.budget.day"),
        ({"budget": {"dya": 1}}, "limits.budget.dya"),
        ({"rpm": 1}, "limits.rpm"),
    ]:
        with pytest.raises(BadRequest) as refused:
            checked(limits)
        assert refused.value.param == param


# ------------------------------------------------------------------- records

texts = st.text(max_size=20)
names = st.lists(texts, max_size=3).map(tuple)
limits = st.dictionaries(
    st.text(string.ascii_lowercase, min_size=1, max_size=5),
    st.one_of(st.integers(0, 2**53), st.floats(allow_nan=False), texts, st.none()),
    max_size=3,
)
records = st.builds(
    KeyRecord,
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    tenant=texts,
    user=texts,
    team=texts,
    models=names,
    paths=names,
    limits=limits,
    priority=st.sampled_from(("interactive", "batch")),
    expires_at=st.integers(0, 2**40),
    disabled=st.booleans(),
    created_at=st.integers(0, 2**40),
    note=texts,
    replaces=texts,
    replaced_by=texts,
    retires_at=st.integers(0, 2**40),
    version=st.integers(1, 2**40),
    origin=texts,
)


@given(records)
def test_a_record_comes_back_as_it_was(record: KeyRecord) -> None:
    stored = pack(record)
    assert unpack(stored) == record
    assert stored.startswith(b"%d:" % record.version)


@given(st.binary(max_size=60))
def test_what_is_no_record_is_said_to_be_none(stored: bytes) -> None:
    with pytest.raises(UnreadableRecord) as refused:
        unpack(stored)
    assert refused.value.__context__ is None or refused.value.__suppress_context__


def test_a_change_changes_what_it_names() -> None:
    before = record(note="old", models=("a",), team="blue")
    after = changed(before, KeyChange(note="new", models=()))
    assert after == record(note="new", team="blue", version=2)


def test_a_rotated_key_keeps_its_terms_its_user_and_its_budget() -> None:
    old = of_terms(KeyTerms("acme", limits={"parallel": 2}, expires_at=9000), "a key", 1000.7)
    new = successor(old, "another key", 2000.0)
    retired = retiring(old, new, 2060.0)
    assert (new.limits, new.expires_at, new.tenant) == (old.limits, 9000, "acme")
    assert caller(new).identity.user == caller(old).identity.user == old.id
    assert new.id != old.id
    assert new.account == old.account == successor(new, "a third", 3000.0).account
    assert (new.replaces, retired.replaced_by, retired.retires_at) == (old.id, new.id, 2060)
    assert retiring(retired, new, 9999.0).retires_at == 2060
