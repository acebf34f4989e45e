"""Makes the pictures of docs/console.md: a gateway with traffic of a week, photographed.

    python tests/console_page/take_pictures.py

Models are the scripted provider's; everything else is the real thing.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE.parent), str(HERE)]

from page_browser import Console, chromium  # noqa: E402
from page_client import Caller  # noqa: E402
from page_gateway import ADMIN_KEY, Plan, opened  # noqa: E402
from PIL import Image  # noqa: E402
from provider.fixtures import ScriptedProvider, start, stop  # noqa: E402

from serve_app.core.clock import SystemClock  # noqa: E402
from serve_app.store.embedded import EmbeddedValkey  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
DAY_S = 86_400
LIVE_S = 200.0
TENANTS = ("acme", "shop-de", "research", "helpdesk")
MODELS = {
    "openai": ("gpt-5-mini", "gpt-5"),
    "deepseek": ("deepseek-chat",),
    "qwen": ("qwen-plus",),
}
PRICES = {
    "gpt-5-mini": {"input": 250_000, "output": 2_000_000},
    "gpt-5": {"input": 1_250_000, "output": 10_000_000},
    "deepseek-chat": {"input": 280_000, "output": 420_000},
    "qwen-plus": {"input": 400_000, "output": 1_200_000},
}
PACES_MS = {"gpt-5": 9, "gpt-5-mini": 5, "deepseek-chat": 7, "qwen-plus": 6}
QUESTIONS = (
    "How do refunds work, and when is the money back?",
    "Where is my parcel?",
    "Which of these three offers is the cheapest over two years?",
    "Summarise the meeting in five lines.",
    "Translate the notice into German.",
    "What does error 0x80070057 mean?",
)


class Yesterday(SystemClock):
    """A clock that stands some seconds in the past."""

    back_s = 0.0

    def wall(self) -> float:
        return super().wall() - self.back_s


def plan(provider: ScriptedProvider) -> Plan:
    backends = [
        {
            "name": name,
            "base_url": provider.base_url,
            "models": [{"id": one, "context": 64_000} for one in models],
        }
        for name, models in MODELS.items()
    ]
    structure = {
        "profile": "small-team",
        "backends": backends,
        "redis": {"timeout_ms": 5000},
        "placement": {"workers": "fused"},
    }
    policy = {
        "admission": {"user_rpm": 100_000},
        "routing": {
            "cheap": ["deepseek/deepseek-chat", "qwen/qwen-plus"],
            "default": ["openai/gpt-5-mini"],
            "strong": ["openai/gpt-5"],
        },
        "prices": PRICES,
        "cache": {"semantic": {"enabled": True, "verify_share": 0.0}},
    }
    return structure, policy


def callers(url: str) -> list[Caller]:
    admin = Caller(url, ADMIN_KEY)
    terms = [
        {"tenant": name, "user": f"app-{at + 1}", "team": "web", "note": f"{name}'s service",
         "limits": {"requests_per_minute": 600, "budget": {"month": 200}}}
        for at, name in enumerate(TENANTS)
    ]  # fmt: skip
    return [Caller(url, admin.send("POST", "/v1/keys", one)[2]["key"]) for one in terms]


def ask(caller: Caller, rng: random.Random) -> None:
    text = (
        rng.choice(QUESTIONS) if rng.random() < 0.5 else f"{rng.choice(QUESTIONS)} {rng.random()}"
    )
    model = rng.choices(
        ["auto", "openai/gpt-5", "qwen/qwen-plus", "deepseek/deepseek-chat"], [6, 1, 2, 2]
    )
    body = {"model": model[0], "stream": True, "messages": [{"role": "user", "content": text}]}
    caller.stream(body)


def live_through_a_week(redis_url: str, provider: ScriptedProvider, folder: Path) -> None:
    """Traffic of the last days, so that there are costs to look at."""
    rng, clock = random.Random(7), Yesterday()
    for model in PRICES:
        provider.script(model, "tale+ok")
    for day in range(6, 0, -1):
        clock.back_s = day * DAY_S
        with opened(redis_url, provider.base_url, folder, plan(provider), clock) as gateway:
            everybody = callers(gateway.url)
            with ThreadPoolExecutor(6) as pool:
                for _ in range(rng.randint(200, 420)):
                    pool.submit(ask, rng.choices(everybody, [5, 3, 2, 1])[0], rng)


def live_now(everybody: list[Caller], provider: ScriptedProvider, over: Event) -> None:
    """Traffic, after some minutes of which a backend breaks."""
    rng, began = random.Random(3), time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        while not over.wait(rng.expovariate(6)):
            pool.submit(ask, rng.choices(everybody, [5, 3, 2, 1])[0], rng)
            if time.monotonic() - began > LIVE_S:
                provider.script("qwen-plus", "status-500")


def work_later(caller: Caller) -> None:
    """Tasks and batches in different states."""
    caller.send("POST", "/agent/async", {"message": "Write the weekly report", "model": "auto"})
    caller.send("POST", "/agent/async", {"message": "At night", "delay_s": 3600, "priority": "low"})
    caller.send("POST", "/agent/async", {"message": "Never", "model": "no-such-model"})
    body = {"model": "auto", "messages": [{"role": "user", "content": "Classify this."}]}
    line = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    lines = [{"custom_id": str(number), **line} for number in range(40)]
    batch = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    caller.send("POST", "/v1/batches", {"input_file_id": caller.upload(lines), **batch})


def photograph(url: str) -> None:
    screen: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}, "timezone_id": "UTC"}
    with chromium() as browser:
        console = Console(browser, url, **screen)
        console.log_in(ADMIN_KEY)
        for view in ("costs", "keys", "cache", "tasks", "alerts", "playground", "live"):
            console.go(view)
            prepare(console, view)
            keep(console, f"console-{view}.png")
        dark = Console(browser, url, color_scheme="dark", locale="zh-CN", **screen)
        dark.enter(console.context.cookies())
        prepare(dark, "live")
        keep(dark, "console-live-dark.png")
        phone = Console(browser, url, viewport={"width": 360, "height": 740}, timezone_id="UTC")
        phone.open()
        phone.page.get_by_label("key").wait_for()
        keep(phone, "console-login.png")
        phone.log_in(ADMIN_KEY)
        prepare(phone, "live")
        keep(phone, "console-phone.png")


def prepare(console: Console, view: str) -> None:
    page = console.page
    if view == "playground":
        page.get_by_role("button", name="Compare two").click()
        page.locator("[data-lane='0'] select").select_option("auto")
        page.locator("[data-lane='1'] select").select_option("openai/gpt-5")
        page.get_by_role("textbox", name="Question").fill("Why is the sky blue in the morning?")
        page.keyboard.press("Enter")
        page.locator("[data-lane='1'] .fall .stage").first.wait_for()
        page.locator("[data-lane='0'] .fall .stage").first.wait_for()
    if view == "cache":
        page.locator("[x-data=cache] input[list]").first.fill("acme")
        page.get_by_role("button", name="Search").click()
    page.wait_for_timeout(2500 if view in ("live", "tasks") else 1200)


def keep(console: Console, name: str) -> None:
    shot = Image.open(io.BytesIO(console.page.screenshot()))
    shot.convert("RGB").quantize(160).save(PICTURES / name, optimize=True)
    print(name, (PICTURES / name).stat().st_size)


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    process, provider = start()
    with tempfile.TemporaryDirectory() as folder:
        valkey = EmbeddedValkey(Path(folder) / "valkey")
        valkey.start()
        try:
            live_through_a_week(valkey.url, provider, Path(folder))
            for model, pace in PACES_MS.items():
                provider.script(model, f"tale+drip-{pace}ms")
            with opened(valkey.url, provider.base_url, Path(folder), plan(provider)) as gateway:
                everybody = callers(gateway.url)
                work_later(everybody[0])
                over = Event()
                with ThreadPoolExecutor(1) as beside:
                    beside.submit(live_now, everybody, provider, over)
                    try:
                        time.sleep(LIVE_S + 15)
                        photograph(gateway.url)
                    finally:
                        over.set()
        finally:
            valkey.stop()
            stop(process)


if __name__ == "__main__":
    main()
