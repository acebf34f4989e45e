"""One gateway and one browser for all tests of the console's page; a context for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_browser import Console, Open, chromium, new_context
from page_client import Caller
from page_gateway import ADMIN_KEY, Gateway, opened
from playwright.sync_api import Browser, BrowserContext
from provider.fixtures import ScriptedProvider
from redis import Redis

from serve_app.store.embedded import EmbeddedValkey


@pytest.fixture(scope="module")
def gateway(
    valkey: EmbeddedValkey,
    provider_process: ScriptedProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    with Redis.from_url(valkey.url) as client:
        client.flushall()
    folder: Path = tmp_path_factory.mktemp("console")
    with opened(valkey.url, provider_process.base_url, folder) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def caller(gateway: Gateway) -> Caller:
    """Somebody of the tenant `shop`, with an API key."""
    terms = {"tenant": "shop", "user": "till", "note": "the caller beside the browser"}
    _, _, made = Caller(gateway.url, ADMIN_KEY).send("POST", "/v1/keys", terms)
    return Caller(gateway.url, made["key"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """It ends with the module: Playwright's loop would be in the way of tests that are async."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_console(gateway: Gateway, browser: Browser) -> Iterator[Open]:
    """Opens pages; afterwards none of them may have complained or broken its policy."""
    consoles: list[Console] = []

    def opened(**how: Any) -> Console:
        consoles.append(Console(browser, gateway.url, **how))
        return consoles[-1]

    yield opened
    for console in consoles:
        assert console.broken_rules() == []
        assert console.complaints == []
        console.close()


@pytest.fixture(scope="module")
def desk(gateway: Gateway, browser: Browser) -> Iterator[BrowserContext]:
    """The browser of an admin who has logged in."""
    context = new_context(browser)
    door = Console(browser, gateway.url, context)
    door.log_in(ADMIN_KEY)
    door.close()
    yield context
    context.close()


@pytest.fixture
def admin(desk: BrowserContext) -> list[Any]:
    """The cookies of an admin's session."""
    return list(desk.cookies())


@pytest.fixture
def console(open_console: Open, desk: BrowserContext) -> Console:
    """Of an admin who has logged in."""
    console = open_console(context=desk)
    console.open()
    console.expect_view("live")
    return console
