"""Sealing: several keys, of which the first seals and all open."""

from __future__ import annotations

import pytest

from serve_app.core.errors import PolicyRejected
from serve_app.sessions.seal import OVERHEAD_BYTES, Seals

OLD, NEW = "the old key that is long", "the new key that is long"


def test_what_was_sealed_opens_at_its_place_and_nowhere_else() -> None:
    seals = Seals(NEW)
    sealed = seals.seal(b"secret", "place")
    assert b"secret" not in sealed
    assert len(sealed) == len(b"secret") + OVERHEAD_BYTES
    assert seals.open(sealed, "place") == b"secret"
    assert seals.open(sealed, "another") is None
    assert seals.seal(b"secret", "place") != sealed


def test_a_key_is_changed_by_putting_the_new_one_first() -> None:
    sealed = Seals(OLD).seal(b"x", "p")
    both = Seals(f"{NEW}, {OLD}")
    assert both.open(sealed, "p") == b"x"
    assert Seals(NEW).open(both.seal(b"y", "p"), "p") == b"y"
    assert Seals(OLD).open(both.seal(b"y", "p"), "p") is None
    assert Seals(NEW).open(sealed, "p") is None


@pytest.mark.parametrize("changed", [0, 4, 17, -1])
def test_a_changed_byte_is_noticed(changed: int) -> None:
    seals = Seals(NEW)
    sealed = bytearray(seals.seal(b"secret", "p"))
    sealed[changed] ^= 1
    assert seals.open(bytes(sealed), "p") is None
    assert seals.open(b"", "p") is None


def test_a_short_key_is_refused_and_none_seals_nothing() -> None:
    with pytest.raises(PolicyRejected, match="SERVE_APP_SESSION_KEY"):
        Seals(f"{NEW},short")
    assert not Seals("").can_seal
    assert not Seals(" , ").can_seal
