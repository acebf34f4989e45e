import hashlib
from pathlib import Path

import pytest

from serve_app.admission.auth import ANONYMOUS, KeyRing
from serve_app.admission.caller import CONSOLE
from serve_app.admission.directory import KeyDirectory
from serve_app.config.policy import AdmissionPolicy
from serve_app.config.structure import RedisSettings
from serve_app.core import api_key
from serve_app.core.clock import FakeClock
from serve_app.core.errors import Overloaded, PolicyRejected, Unauthorized
from serve_app.core.key_record import KeyRecord
from serve_app.store.client import Store


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def unheard() -> KeyDirectory:
    """A directory that was never told anything."""
    clock = FakeClock()
    return KeyDirectory(Store(RedisSettings(), clock, "redis://127.0.0.1:1"), "r", clock)


def ring(directory: KeyDirectory | None = None, admin_key: str = "", **policy: object) -> KeyRing:
    keys = [{"sha256": digest("sk-ann"), "tenant": "acme", "user": "ann"}]
    checked = AdmissionPolicy.model_validate({"keys": keys, **policy})
    return KeyRing(checked, directory or unheard(), admin_key)


@pytest.mark.parametrize(
    ("authorization", "x_api_key"),
    [
        ("Bearer sk-ann", None),
        ("bearer  sk-ann ", None),
        (None, "sk-ann"),
        ("Basic dXNlcg==", "sk-ann"),
    ],
)
def test_a_known_key_is_somebody(authorization: str | None, x_api_key: str | None) -> None:
    identity = ring().identify(authorization, x_api_key)
    assert (identity.tenant, identity.user) == ("acme", "ann")
    assert identity.key_id == digest("sk-ann")[:12]


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "code"),
    [
        (None, None, "missing_api_key"),
        ("", "", "missing_api_key"),
        ("Bearer", None, "missing_api_key"),
        ("Basic sk-ann", None, "missing_api_key"),
        ("Bearer sk-bob", None, "invalid_api_key"),
        ("Bearer sk-ann sk-ann", None, "invalid_api_key"),
        (None, "sk-ann\ud800", "invalid_api_key"),
        (f"Bearer {digest('sk-ann')}", None, "invalid_api_key"),
    ],
)
def test_anybody_else_is_refused(
    authorization: str | None, x_api_key: str | None, code: str
) -> None:
    with pytest.raises(Unauthorized) as refused:
        ring().identify(authorization, x_api_key)
    assert refused.value.code == code
    assert "sk-" not in str(refused.value)


def test_an_open_house_takes_everybody_and_still_knows_its_people() -> None:
    open_ring = ring(require_key=False)
    assert open_ring.identify(None, None) == ANONYMOUS
    assert open_ring.identify("Bearer sk-whatever", None) == ANONYMOUS
    assert open_ring.identify("Bearer sk-ann", None).user == "ann"


def test_a_key_without_a_user_is_its_own_user() -> None:
    lone = ring(keys=[{"sha256": digest("sk-lone"), "tenant": "acme"}])
    assert lone.identify("Bearer sk-lone", None).user == digest("sk-lone")[:12]


def test_keys_come_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(f"- {{sha256: {digest('sk-bob')}, tenant: other, user: bob}}\n")
    both = ring(key_file=str(file))
    assert both.identify("Bearer sk-bob", None).tenant == "other"
    assert both.identify("Bearer sk-ann", None).tenant == "acme"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- {sha256: sk-secret, tenant: t}", "0.sha256"),
        ("keys: []", "valid list"),
        ("- [", "not YAML"),
        (f"- {{sha256: {digest('sk-ann')}, tenant: t}}", "occurs twice"),
        (None, "No such file"),
    ],
)
def test_a_bad_file_is_refused_without_repeating_it(
    tmp_path: Path, content: str | None, message: str
) -> None:
    file = tmp_path / "keys.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(PolicyRejected, match=message) as refused:
        ring(key_file=str(file))
    assert "sk-secret" not in str(refused.value)


# ---------------------------------------------------------- keys of the directory


@pytest.fixture
async def heard(store: Store) -> tuple[KeyDirectory, FakeClock, str]:
    """A directory that knows one key, of team blue; and its clock."""
    clock = FakeClock()
    directory = KeyDirectory(store, "r", clock)
    await directory.catch_up()
    key = api_key.make()
    assert await directory.put([(None, KeyRecord(digest(key), "acme", "bob", "blue"))])
    return directory, clock, key


Heard = tuple[KeyDirectory, FakeClock, str]


async def test_a_key_of_the_directory_is_somebody_too(heard: Heard) -> None:
    directory, _, key = heard
    both = ring(directory)
    caller = both.find(None, key)
    assert (caller.identity.user, caller.identity.team) == ("bob", "blue")
    assert caller.record is not None
    assert caller.record.sha256 == digest(key)
    assert both.find("Bearer sk-ann", None).identity.user == "ann"
    assert ring(directory, require_key=False).find(None, key).identity.user == "bob"
    with pytest.raises(Unauthorized):
        both.find(None, key.swapcase())


@pytest.mark.parametrize("require_key", [True, False])
async def test_a_disabled_or_expired_key_is_refused_even_in_an_open_house(
    heard: Heard, require_key: bool
) -> None:
    directory, clock, key = heard
    doors = ring(directory, require_key=require_key)
    record = directory.get(digest(key)[:12])
    assert record is not None
    ends = KeyRecord(digest(key), "acme", version=2, expires_at=int(directory.now()) + 60)
    assert await directory.put([(record, ends)])
    doors.find(None, key)
    clock.advance(61)
    with pytest.raises(Unauthorized, match="has expired"):
        doors.find(None, key)
    disabled = KeyRecord(digest(key), "acme", version=3, disabled=True)
    assert await directory.put([(ends, disabled)])
    with pytest.raises(Unauthorized, match="is disabled"):
        doors.find(None, key)


async def test_how_long_known_keys_stay_good_without_news_is_the_policys(heard: Heard) -> None:
    directory, clock, key = heard
    lasting = ring(directory)
    closing = ring(directory, without_redis={"keys": "fail_closed", "keys_for_s": 30})
    clock.advance(29)
    assert closing.find(None, key).identity.user == "bob"
    clock.advance(2)
    with pytest.raises(Overloaded) as refused:
        closing.find(None, key)
    assert (refused.value.code, refused.value.retry_after_s) == ("keys_unavailable", 1.0)
    assert closing.find(None, "sk-ann").identity.user == "ann"
    assert lasting.find(None, key).identity.user == "bob"


def test_before_anything_was_heard_a_key_may_be_good() -> None:
    key = api_key.make()
    with pytest.raises(Overloaded, match="looked up"):
        ring().find(None, key)
    with pytest.raises(Unauthorized, match="check digits"):
        ring().find(None, key[:-1])
    with pytest.raises(Unauthorized):
        ring().find(None, "sk-of-another-kind")
    assert ring(require_key=False).find(None, key).identity == ANONYMOUS


# ------------------------------------------------------------------- admin keys


def test_an_admin_key_is_no_api_key_and_an_api_key_no_admin_key() -> None:
    doors = ring(admin_keys=[digest("boss")], admin_key="chief")
    for key in ("boss", "chief"):
        assert doors.is_admin(f"Bearer {key}", None)
        assert doors.admin(None, key) == digest(key)[:12]
        with pytest.raises(Unauthorized, match="admin key"):
            doors.find(None, key)
    for key in ("sk-ann", "", "Boss", digest("boss")):
        assert not doors.is_admin(None, key)
    assert not doors.is_admin(None, None)


def test_who_is_admin_where_no_admin_key_is_set() -> None:
    assert not ring().is_admin("Bearer sk-ann", None)
    assert ring(require_key=False).admin(None, None) == ""
    assert ring(require_key=False, admin_key="chief").admin(None, None) is None


@pytest.mark.parametrize("policy", [{"admin_keys": [digest("sk-ann")]}, {"admin_key": "sk-ann"}])
def test_one_key_for_both_is_refused(policy: dict[str, object]) -> None:
    with pytest.raises(PolicyRejected, match=digest("sk-ann")[:12]) as refused:
        ring(**policy)  # type: ignore[arg-type]
    assert "sk-ann" not in str(refused.value)


def test_the_console_asks_without_a_key_and_nobody_else_can_be_it() -> None:
    strict = ring(require_key=True)
    assert strict.find_digest(CONSOLE.digest.hex()).identity.tenant == "console"
    for given in ("", CONSOLE.digest.hex(), "\0" * 32):
        with pytest.raises(Unauthorized):
            strict.identify(f"Bearer {given}", None)


def test_admin_keys_are_known_by_their_ids() -> None:
    boss = ring(admin_key="sk-boss")
    assert boss.has_admins
    assert boss.has_admin(digest("sk-boss")[:12])
    assert not boss.has_admin(digest("sk-ann")[:12])
    assert not boss.has_admin("")
    assert not ring().has_admins
