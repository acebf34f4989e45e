"""A ring of keys under a clock that stands still, and the failures it is told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from serve_app.backends.base import AttemptFailed
from serve_app.backends.keys import ProviderKeys
from serve_app.backends.refusal import AUTH, QUOTA
from serve_app.config.backend_settings import HostedBackend, ModelSettings
from serve_app.core.clock import FakeClock

MODEL = "m"


def settings(*names: str, file: Path | None = None) -> HostedBackend:
    return HostedBackend(
        name="test",
        base_url="http://127.0.0.1:9/v1",
        api_key_env=list(names),
        api_key_file=str(file) if file else None,
        models=[ModelSettings(id=MODEL, context=1)],
    )


class Ring:
    """Keys `sk-a`, `sk-b`, ... from the variables A, B, ... and perhaps a file."""

    def __init__(self, *names: str, file: Path | None = None) -> None:
        self.clock = FakeClock()
        environ = {name: f"sk-{name.lower()}" for name in names}
        self.keys = ProviderKeys(settings(*names, file=file), environ, self.clock)

    def take(self, model: str = MODEL) -> str:
        key = self.keys.take(model)
        assert key is not None
        return str(key.secret)

    def taken(self, count: int) -> list[str]:
        return [self.take() for _ in range(count)]

    def judge(self, failed: AttemptFailed, model: str = MODEL) -> AttemptFailed:
        return self.keys.judge(self.keys.take(model), model, failed)

    def none_left(self, model: str = MODEL) -> AttemptFailed:
        with pytest.raises(AttemptFailed) as caught:
            self.keys.take(model)
        return caught.value


def limited(seconds: float | None = None) -> AttemptFailed:
    return AttemptFailed("transient", "slow down", status=429, retry_after_s=seconds)


def refused() -> AttemptFailed:
    return AttemptFailed("candidate", "no", status=401, code=AUTH)


def spent() -> AttemptFailed:
    return AttemptFailed("candidate", "no money", status=429, code=QUOTA)


def write(file: Path, *lines: str) -> Path:
    """Another file in its place, as deployment tools do it."""
    new = file.with_suffix(".new")
    new.write_text("\n".join(lines))
    return new.replace(file)
