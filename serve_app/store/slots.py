"""The slot of a command (Redis Cluster Specification, "Key distribution model")."""

from __future__ import annotations

from typing import Final

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from serve_app.store.link import Argument, Command

SLOTS: Final = REDIS_CLUSTER_HASH_SLOTS

_NO_KEY: Final = (
    "ACL CLIENT CLUSTER CONFIG DBSIZE ECHO FLUSHALL FLUSHDB FUNCTION INFO LATENCY PING RANDOMKEY "
    "SCAN SCRIPT SLOWLOG TIME WAIT"
)
_KEY_AT: Final[dict[object, int]] = {
    **dict.fromkeys(_NO_KEY.split(), 0),
    **dict.fromkeys("BITOP MEMORY OBJECT XGROUP XINFO".split(), 2),
    **dict.fromkeys("EVAL EVALSHA EVAL_RO EVALSHA_RO FCALL FCALL_RO".split(), 3),
}
"""Where the first key stands, of verbs that do not have it at 1."""


def slot_of_key(key: Argument) -> int:
    """CRC16 of the key, or of what stands between its first braces; 0 to 16383."""
    return key_slot(key if isinstance(key, bytes) else str(key).encode())


def slot_of(command: Command) -> int | None:
    """The slot of the first key (whether all are in it is the server's question); None: no key."""
    verb = command[0]
    if verb in ("XREAD", "XREADGROUP"):
        return slot_of_key(command[command.index("STREAMS") + 1])
    at = _KEY_AT.get(verb, 1)
    if at == 0 or (at == 3 and not int(command[2])):
        return None
    return slot_of_key(command[at])
