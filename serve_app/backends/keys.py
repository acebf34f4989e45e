"""The keys of one provider: used in turn, each rests on its own, a refused one until it changes."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from serve_app.backends.base import AttemptFailed
from serve_app.backends.refusal import AUTH
from serve_app.config.structure import HostedBackend
from serve_app.core.clock import Clock
from serve_app.core.errors import PolicyRejected

logger = logging.getLogger(__name__)

COOL_S = 5.0
"""Rest of a key after a 429 that does not say for how long."""

QUOTA_REST_S = 600.0
"""Rest of a key whose account has no money left."""

_STAT_EVERY_S = 1.0
_MAX_FILE_BYTES = 64 << 10


class Key:
    """One key. Its text is in no `repr`."""

    __slots__ = ("_text", "cool_until", "digest", "refused", "where")

    def __init__(self, text: str, where: str) -> None:
        self._text = text
        self.where = where
        """The variable or the line it came from; for people."""
        self.digest = hashlib.sha256(text.encode()).hexdigest()
        self.cool_until = 0.0
        self.refused = False

    def text(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Key({self.where})"


class ProviderKeys:
    """Hands out keys.

    Args:
        settings: names the variables and the file.
        environ: read once.

    Raises:
        PolicyRejected: a key holds what no header may hold.
    """

    def __init__(self, settings: HostedBackend, environ: Mapping[str, str], clock: Clock) -> None:
        self._backend = settings.name
        self._clock = clock
        self._file = Path(settings.api_key_file) if settings.api_key_file else None
        self._seen: tuple[int, int] | None = None
        self._look_again_at = 0.0
        self._file_problem = ""
        self._next = 0
        self._named = bool(settings.api_key_env or settings.api_key_file)
        self._fixed = [
            Key(text, f"environment variable {name}")
            for name in settings.api_key_env
            if (text := self._checked(environ.get(name, ""), name))
        ]
        self._keys: list[Key] = list(self._fixed)
        self._look_at_file()

    def take(self) -> Key | None:
        """The key for the next call; None for a provider that needs none.

        Raises:
            AttemptFailed: every key was refused, or rests.
        """
        if self._file is not None and self._clock.monotonic() >= self._look_again_at:
            self._look_at_file()
        keys = self._keys
        if not keys:
            if self._named:
                raise AttemptFailed("candidate", "no key is there", code=AUTH)
            return None
        now = self._clock.monotonic()
        for step in range(len(keys)):
            key = keys[(self._next + step) % len(keys)]
            if not key.refused and key.cool_until <= now:
                self._next = (self._next + step + 1) % len(keys)
                return key
        raise self._none_usable(now)

    def _none_usable(self, now: float) -> AttemptFailed:
        waits = [key.cool_until - now for key in self._keys if not key.refused]
        if not waits:
            return AttemptFailed("candidate", "the provider refused our credentials", code=AUTH)
        return AttemptFailed(
            "transient", "every key rests", status=429, retry_after_s=max(0.0, min(waits))
        )

    def limited(self, key: Key | None, seconds: float | None) -> float | None:
        """A call with the key was refused for its rate; of two rests the longer holds.

        Returns:
            Seconds until some key may be used: 0 if another one may at once.
        """
        if key is None or len(self._keys) == 1:  # then the backend rests, as its breaker says
            return seconds
        now = self._clock.monotonic()
        key.cool_until = max(key.cool_until, now + (COOL_S if seconds is None else seconds))
        usable = [k.cool_until - now for k in self._keys if not k.refused]
        return max(0.0, min(usable, default=0.0))

    def refuse(self, key: Key | None) -> None:
        """The provider does not know the key: it stays out until it changes."""
        if key is not None and not key.refused:
            key.refused = True
            logger.error("backend %r: the provider refused the key of %s; it is not used until "
                         "it changes", self._backend, key.where)  # fmt: skip

    def state(self) -> str:
        """What is wrong with the keys, for people; empty: nothing."""
        now = self._clock.monotonic()
        refused = [key for key in self._keys if key.refused]
        resting = [key for key in self._keys if not key.refused and key.cool_until > now]
        parts = [self._file_problem] if self._file_problem else []
        if refused:
            names = ", ".join(key.where for key in refused)
            parts.append(f"{len(refused)} of {len(self._keys)} keys refused ({names})")
        if resting:
            parts.append(f"{len(resting)} of {len(self._keys)} keys rest")
        return "; ".join(parts)

    @property
    def all_refused(self) -> bool:
        return bool(self._keys) and all(key.refused for key in self._keys)

    # ---------------------------------------------------------------- the file

    def _look_at_file(self) -> None:
        """Read the file if it changed. A file that is gone leaves the keys as they are."""
        if self._file is None:
            return
        self._look_again_at = self._clock.monotonic() + _STAT_EVERY_S
        try:
            stat = os.stat(self._file)
            seen = (stat.st_mtime_ns, stat.st_size)
            if seen == self._seen:
                return
            lines = self._file.read_bytes()[:_MAX_FILE_BYTES].decode().splitlines()
            self._use(lines)
            self._seen, self._file_problem = seen, ""
        except (OSError, UnicodeDecodeError, PolicyRejected) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no list of keys"
            self._file_problem = f"the key file cannot be read: {why}"

    def _use(self, lines: list[str]) -> None:
        known = {key.digest: key for key in self._keys}
        keys = list(self._fixed)
        for number, line in enumerate(lines, 1):
            if text := self._checked(line.partition("#")[0], f"line {number} of the key file"):
                key = Key(text, f"line {number} of the key file")
                keys.append(known.get(key.digest, key))
        self._keys = keys

    def _checked(self, text: str, where: str) -> str:
        text = text.strip()  # keys that come from files end with a line feed
        if not (text.isascii() and text.isprintable()):
            raise PolicyRejected(
                f"the key of backend {self._backend!r} ({where}) holds characters that no "
                "header may hold"
            )
        return text

    def __repr__(self) -> str:
        return f"ProviderKeys({self._backend!r}, {len(self._keys)} keys)"
