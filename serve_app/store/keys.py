"""Every key name in one place: `serve-app:v1:{tenant}:room:...`.

The braces are a hash tag: all keys of a tenant live in one slot of a Redis Cluster, so that a
script may touch several. Values from outside are escaped: they can neither collide nor bring
a brace, a colon or a control character of their own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from urllib.parse import quote

_PREFIX = "serve-app:v1:"
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]{1,64}")


def escape(value: str) -> str:
    """A value from outside as a part of a key: unchanged, percent-escaped, or `!` and a digest.

    `!` never comes out of the other two forms, so that no value can pass for another's digest.
    """
    if _PLAIN.fullmatch(value):
        return value
    escaped = quote(value, safe="", errors="surrogatepass")
    if 0 < len(escaped) <= 64:
        return escaped
    return "!" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _key(tenant: str, rest: str) -> str:
    return f"{_PREFIX}{{{escape(tenant)}}}:{rest}"


def cache_entry(tenant: str, fingerprint: str) -> str:
    return _key(tenant, f"cache:{escape(fingerprint)}")


def conversation(tenant: str, session_id: str) -> str:
    return _key(tenant, f"conversation:{escape(session_id)}")


def conversation_state(tenant: str, session_id: str) -> str:
    """What is known of a conversation besides its turns."""
    return _key(tenant, f"conversation:{escape(session_id)}|state")


def conversation_draft(tenant: str, session_id: str) -> str:
    """Turns laid ready for a conversation that is about to begin."""
    return _key(tenant, f"conversation:{escape(session_id)}|draft")


def conversation_responses(tenant: str, session_id: str) -> str:
    """Names of the stored responses of a conversation."""
    return _key(tenant, f"conversation:{escape(session_id)}|responses")


def stored_response(tenant: str, response_id: str) -> str:
    return _key(tenant, f"response:{escape(response_id)}")


def session_names(tenant: str, session_id: str) -> str:
    """What the placeholders of a session stand for, encrypted."""
    return _key(tenant, f"names:{escape(session_id)}")


TOGETHER = "[ledger]"
"""Owner of the books of all tenants where they stand in one slot: a tenant's brackets would be
escaped."""


def _book(owner: str, rest: str) -> str:
    return f"{_PREFIX}{{{owner if owner == TOGETHER else escape(owner)}}}:{rest}"


def scope_state(owner: str, scope: Sequence[str]) -> str:
    """What a scope (such as `("acme", "user=ann")`) has used. `owner`: its tenant, or `TOGETHER`:
    all keys of one owner live in one slot."""
    return _book(owner, "limit:" + ":".join(map(escape, scope)))


def scope_holds(owner: str, scope: Sequence[str]) -> str:
    """What is promised to requests of a scope that are under way, by when each promise ends."""
    return scope_state(owner, scope) + "|holds"


def ledger_day(tenant: str, day: str, kind: str, owner: str = "") -> str:
    """Totals of a day (`2026-01-31`); `kind` is `total`, `user`, `key` or `model`."""
    return _book(owner or tenant, f"ledger:{escape(tenant)}:{escape(day)}:{kind}")


def ledger_writer(owner: str, writer: str) -> str:
    """Number of the last batch that a ledger (one per process) had applied."""
    return _book(owner, f"ledger-writer:{escape(writer)}")


def ledger_once(tenant: str, name: str, owner: str = "") -> str:
    """What was charged under a name that counts once."""
    return _book(owner or tenant, f"ledger-once:{escape(tenant)}:{escape(name)}")


_VITALS = _PREFIX + "{[vitals]}:"
"""Of no tenant: a tenant's brackets would be escaped."""


def vitals(kind: str) -> str:
    """What replicas tell each other about backends; `kind` is `breakers` or `figures`."""
    return f"{_VITALS}{kind}"


def probe(backend: str, model: str) -> str:
    """Held by the one replica that probes a model."""
    return f"{_VITALS}probe:{escape(backend)}:{escape(model)}"


def flight_lease(tenant: str, fingerprint: str) -> str:
    """Held by the flight that makes the answer to a request; its value is the holder."""
    return _key(tenant, f"flight:{escape(fingerprint)}:lease")


def flight_wanted(tenant: str, fingerprint: str) -> str:
    """There while other replicas want to hear of a flight."""
    return _key(tenant, f"flight:{escape(fingerprint)}:wanted")


def flight_batches(tenant: str, fingerprint: str, origin: str) -> str:
    """What a flight that is followed has said so far: a list, oldest first.

    `origin` is its first holder: no two flights share a list, though they answer the same.
    """
    return _key(tenant, f"flight:{escape(fingerprint)}:batches:{escape(origin)}")


def cache_entries(tenant: str = "", fingerprint: str = "") -> str:
    """A pattern for SCAN: the stored answers of a tenant, of a fingerprint; empty: of all."""
    owner = escape(tenant) if tenant else "*"
    return f"{_PREFIX}{{{owner}}}:cache:{escape(fingerprint) if fingerprint else '*'}"


def cache_purges() -> str:
    """Stream of what was purged, for every replica; of no tenant."""
    return f"{_PREFIX}{{[cache]}}:purges"


def hot_questions(tenant: str, kind: str) -> str:
    """Questions asked often; `kind` is `asked`, `hits`, `texts` or `faded`."""
    return _key(tenant, f"hot:{kind}")


def semantic_log(tenant: str, partition: str, embedder: str) -> str:
    """Stream of what is known of the questions of a partition, as vectors of one embedder."""
    return _key(tenant, f"alike:{escape(partition)}:{escape(embedder)}")


def semantic_verdicts() -> str:
    """Hash with how many would-be hits were compared, and how many were wrong; of no tenant."""
    return f"{_PREFIX}{{[cache]}}:verdicts"


def tasks(kind: str) -> str:
    """What the queue of tasks is made of, all in one slot; of no tenant. Names with a task or a
    tenant in them are made in `lua/parts/tasks.lua`."""
    return f"{_PREFIX}{{[tasks]}}:{kind}"


def api_keys(kind: str) -> str:
    """The API keys that are not in a policy; `kind` is `records`, `changes` or `replicas`. Of no
    tenant."""
    return f"{_PREFIX}{{[keys]}}:{kind}"


def files(tenant: str, kind: str) -> str:
    """A tenant's stored files; `kind` is `records` (a hash by id), `bytes` (of all of them),
    `ids`, or `ids` of one purpose as `ids=PURPOSE` (sets in the order of their names)."""
    return _key(tenant, f"files:{kind}")


def files_due() -> str:
    """What content is to be looked after, by when (Unix seconds); of no tenant."""
    return f"{_PREFIX}{{[files]}}:due"


def batches(tenant: str, kind: str) -> str:
    """A tenant's batches; `kind` is `ids` (a set in the order of their names) or `open`."""
    return _key(tenant, f"batches:{kind}")


def batch(tenant: str, batch_id: str) -> str:
    """A batch: a hash of its fields, and of what each of its shards came to."""
    return _key(tenant, f"batch:{escape(batch_id)}")


def batches_open() -> str:
    """The batches of all tenants that are not over, by when they are looked after next."""
    return f"{_PREFIX}{{[batches]}}:open"


def batches_all() -> str:
    """The batches of all tenants, in the order of their names, which is that of time."""
    return f"{_PREFIX}{{[batches]}}:all"


def duty(name: str) -> str:
    """Which replica does what one of all has to do; of no tenant."""
    return f"{_PREFIX}{{[duty]}}:{escape(name)}"


def console(kind: str) -> str:
    """What the console keeps of no tenant; `kind` is `secret`, or `tries` of all callers."""
    return f"{_PREFIX}{{[console]}}:{kind}"


def console_tries(address: str) -> str:
    """How often somebody at an address gave a wrong key lately."""
    return f"{_PREFIX}{{[console]}}:tries:{escape(address)}"


def console_ended(session_id: str) -> str:
    """There if a session was ended before its time."""
    return f"{_PREFIX}{{[console]}}:ended:{escape(session_id)}"


def metrics(kind: str) -> str:
    """What the processes count together, of no tenant; `kind` is `totals`, `examples`, `gauges` or
    `history`."""
    return f"{_PREFIX}{{[metrics]}}:{kind}"


def metrics_writer(writer: str) -> str:
    """Number of the last batch of counts that a process had added."""
    return f"{_PREFIX}{{[metrics]}}:writer:{escape(writer)}"


def alerts(kind: str) -> str:
    """What is known of alerts; `kind` is `state`, `history` or `silences`. Of no tenant."""
    return f"{_PREFIX}{{[alerts]}}:{kind}"


def trails(bucket: int) -> str:
    """Hash with the trails of requests that were over in one span of time; of no tenant. Each has
    a slot of its own."""
    return f"{_PREFIX}{{[trails]{bucket}}}:kept"
