"""A browser on the console: what it shows, and everything that it complains about."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
VIEWS = ("live", "playground", "costs", "keys", "cache", "tasks", "alerts")
TIMEOUT_MS = 15_000
PATIENCE_S = 30.0

_WATCH_CSP = """
window.broken = [];
addEventListener("securitypolicyviolation", (event) => {
  window.broken.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}`);
});
"""
_TOO_WIDE = """
() => {
  const width = document.documentElement.clientWidth;
  const found = document.documentElement.scrollWidth > width ? ["the page itself"] : [];
  for (const one of document.querySelectorAll("body *")) {
    const box = one.getBoundingClientRect();
    if (!box.width || box.right <= width + 1 || one.closest(".scroll, .unseen, .skip")) continue;
    found.push(`${one.tagName} ${one.className} ends at ${Math.round(box.right)}`);
  }
  return found;
}
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def new_context(browser: Browser, **how: Any) -> BrowserContext:
    """A browser's profile: cookies, stored files, settings."""
    context = browser.new_context(**{"locale": "en-US", "timezone_id": "Asia/Tokyo", **how})
    context.set_default_timeout(TIMEOUT_MS)
    context.add_init_script(_WATCH_CSP)
    return context


class Console:
    """A page of the console. `complaints` are the browser's.

    Args:
        context: with its cookies and files; None: a new one, with the settings `how`.
    """

    def __init__(
        self, browser: Browser, url: str, context: BrowserContext | None = None, **how: Any
    ) -> None:
        self._owns = context is None
        self.context = context or new_context(browser, **how)
        self.url = url
        self.complaints: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({message.location.get('url', '')})")

    def open(self, view: str = "live") -> None:
        self.page.goto(f"{self.url}/console#/{view}")

    def log_in(self, key: str, view: str = "live") -> None:
        """Log in as people do, and wait for a view."""
        self.open(view)
        self.page.get_by_label("key").fill(key)
        self.page.get_by_role("button", name="Log in").click()
        self.expect_view(view)

    def enter(self, cookies: list[Any], view: str = "live") -> None:
        """Go on with a session that was begun elsewhere."""
        self.context.add_cookies(cookies)
        self.open(view)
        self.expect_view(view)

    def go(self, view: str) -> None:
        self.page.evaluate("view => { location.hash = `#/${view}` }", view)
        self.expect_view(view)

    def expect_view(self, view: str) -> None:
        expect(self.page.locator(f"[x-data={view}] h1")).to_be_visible()

    def until(self, happened: Callable[[], bool]) -> None:
        """Ask again and again, while the page goes on."""
        give_up_at = time.monotonic() + PATIENCE_S
        while not happened():
            assert time.monotonic() < give_up_at, "it did not happen"
            self.page.wait_for_timeout(100)

    def too_wide(self) -> list[str]:
        """What reaches over the page's right edge."""
        found: list[str] = self.page.evaluate(_TOO_WIDE)
        return found

    def unworded(self) -> list[str]:
        """Texts that are the keys of words that are missing."""
        texts: str = self.page.evaluate("document.body.innerText")
        return [line for line in texts.split("\n") if re.fullmatch(r"[a-z_]+(\.\w+)+", line)]

    def broken_rules(self) -> list[str]:
        """Violations of the page's content security policy."""
        found: list[str] = self.page.evaluate("window.broken")
        return found

    def forgive(self, *statuses: str) -> None:
        """Forget that the browser told of answers with these statuses, which a test wanted."""
        about = [f"status of {status}" for status in statuses]
        self.complaints = [
            one for one in self.complaints if not any(words in one for words in about)
        ]

    def forgive_failed(self) -> None:
        """Forget that the browser told of requests that a test kept from the gateway."""
        self.complaints = [one for one in self.complaints if "net::ERR_FAILED" not in one]

    def close(self) -> None:
        self.page.close()
        if self._owns:
            self.context.close()


Open = Callable[..., Console]
"""Opens pages, with the settings of a browser's context."""
