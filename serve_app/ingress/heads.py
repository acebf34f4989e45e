"""Response headers that say who answered, from where, and for how much."""

from __future__ import annotations

from serve_app.ingress.http import Headers
from serve_app.pipeline import Facts


def head(facts: Facts) -> Headers:
    """The headers of a reply.

    The cost of a stream is not known when its head goes out, so it is not there.
    """
    headers: Headers = [
        (b"x-serve-app-backend", facts.backend.encode()),
        (b"x-serve-app-model", facts.model.encode("ascii", "replace")),
        (b"x-serve-app-cache", facts.cache.encode()),
    ]
    if facts.attempts > 1:
        headers.append((b"x-serve-app-attempts", b"%d" % facts.attempts))
    if facts.usage is not None:
        headers.append((b"x-serve-app-cost-usd", usd(facts.cost_micro_usd).encode()))
    if facts.fingerprint:
        headers.append((b"x-serve-app-fingerprint", facts.fingerprint.encode()))
    if facts.age_s or facts.cache in ("l1", "l2"):
        headers.append((b"age", b"%d" % facts.age_s))
    if facts.session_kept is False:
        headers.append((b"x-serve-app-session", b"not-kept"))
    headers += [(name.encode(), value.encode()) for name, value in facts.limits.items()]
    return headers


def usd(micro: int) -> str:
    """Micro-dollars as dollars, exactly."""
    return f"{micro // 1_000_000}.{micro % 1_000_000:06d}"
