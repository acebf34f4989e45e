import pytest

from serve_app.store.link import Command
from serve_app.store.slots import SLOTS, slot_of, slot_of_key


def test_slots_are_those_of_the_specification() -> None:
    assert slot_of_key("123456789") == 0x31C3  # the check value of the specification's CRC16
    assert slot_of_key("foo") == 12182  # as CLUSTER KEYSLOT says
    assert slot_of_key("{user1000}.following") == slot_of_key(b"{user1000}.followers")
    assert slot_of_key("foo{}{bar}") != slot_of_key("bar")
    assert slot_of_key("foo{{bar}}zap") == slot_of_key("{bar")
    assert slot_of_key("serve-app:v1:{t\u00e9}:x") == slot_of_key("t\u00e9")
    assert SLOTS == 16384


@pytest.mark.parametrize(
    "command",
    [
        ("GET", "k"),
        ("DEL", b"k", "other"),
        ("EVALSHA", "sha", 2, "k", "other", "argument"),
        ("EVAL", b"source", 1, "k"),
        ("XGROUP", "CREATE", "k", "group", "$"),
        ("OBJECT", "ENCODING", "k"),
        ("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "BLOCK", 5, "STREAMS", "k", ">"),
        ("XREAD", "STREAMS", "k", "0"),
        ("HSCAN", "k", 0),
    ],
)
def test_a_command_goes_where_its_first_key_is(command: Command) -> None:
    assert slot_of(command) == slot_of_key("k")


@pytest.mark.parametrize(
    "command", [("PING",), ("ECHO", "k"), ("EVAL", "return 1", 0), ("SCAN", 0), ("SCRIPT", "FLUSH")]
)
def test_a_command_without_keys_may_go_anywhere(command: Command) -> None:
    assert slot_of(command) is None
