"""A key is nowhere but in the header: not in a failure, nor in what a crash report would list."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType

import pytest
from backend_calls import KEY, MakeHosted, fail
from provider.fixtures import ScriptedProvider, start, stop

from serve_app.backends.keys import ProviderKeys
from serve_app.backends.secret import Secret, SecretHeaders
from serve_app.config.backend_settings import HostedBackend, ModelSettings
from serve_app.core.clock import FakeClock
from serve_app.core.errors import PolicyRejected

PRODUCT = "serve_app"


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything behind it, shown or not."""
    todo: list[BaseException | None] = [error]
    seen: set[int] = set()
    while todo:
        this = todo.pop()
        if this is not None and id(this) not in seen:
            seen.add(id(this))
            yield this
            todo += [this.__cause__, this.__context__]


def shown(error: BaseException) -> Iterator[str]:
    """Every text a crash report with local variables would hold: those of the tests' own frames
    are left out."""
    yield "".join(traceback.format_exception(error))
    for part in chain(error):
        yield repr(part)
        yield repr(part.args)
        step: TracebackType | None = part.__traceback__
        while step is not None:
            if "/tests/" not in step.tb_frame.f_code.co_filename:
                yield repr(step.tb_frame.f_locals)
                yield from map(repr, _inside(step.tb_frame.f_locals))
            step = step.tb_next


def _inside(variables: dict[str, object]) -> Iterator[object]:
    """Attributes of our objects, one level deep, as some reporters list them."""
    for value in variables.values():
        if type(value).__module__.startswith(PRODUCT):
            names = getattr(type(value), "__slots__", ()) or getattr(value, "__dict__", ())
            yield from (getattr(value, name, None) for name in names)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "model",
    ["auth", "leaky", "status-500", "reset-before-headers", "not-http", "cut-after-2",
     "malformed-body", "error-in-200", "header-flood", "huge-event", "no-response"],
)  # fmt: skip
async def test_no_failure_shows_the_key(make_hosted: MakeHosted, model: str, stream: bool) -> None:
    backend = make_hosted(first_token_s=0.5, idle_s=0.5, total_s=0.6)
    error = await fail(backend, model, stream=stream)
    for text in shown(error):
        assert KEY not in text


async def test_no_lost_connection_shows_the_key(make_hosted: MakeHosted) -> None:
    process, gone = start()
    stop(process)
    error = await fail(make_hosted(base_url=gone.base_url), "ok")
    for text in shown(error):
        assert KEY not in text


def test_a_key_that_cannot_be_used_is_not_shown(provider: ScriptedProvider) -> None:
    key = "sk-one\nsk-two"
    settings = HostedBackend(
        name="test",
        base_url=provider.base_url,
        api_key_env=["K"],
        models=[ModelSettings(id="any", context=1)],
    )
    with pytest.raises(PolicyRejected) as caught:
        ProviderKeys(settings, {"K": key}, FakeClock())
    for text in shown(caught.value):
        assert "sk-one" not in text


def test_a_secret_is_a_text_that_shows_nothing() -> None:
    secret = Secret(KEY)
    assert secret == KEY
    assert secret in f"Bearer {secret}"
    assert KEY not in repr({"key": secret, "list": [secret]})
    headers = SecretHeaders({"Authorization": f"Bearer {KEY}"})
    assert headers["Authorization"].endswith(KEY)
    assert repr(headers) == "SecretHeaders(Authorization)"
