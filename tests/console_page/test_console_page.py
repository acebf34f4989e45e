"""The console in a real browser on a real gateway: what an operator does there."""

from __future__ import annotations

import re

from page_browser import Console, Open
from page_client import Caller
from page_gateway import ADMIN_KEY, VIEWER_KEY, Gateway
from playwright.sync_api import Locator, expect
from provider.fixtures import ScriptedProvider

BREAKING = 5
"""Failures that open a breaker."""
CHANGING = re.compile(
    r"^(New key|Rotate|Disable|Enable|Delete|Purge|Retry|Cancel|Ask|New silence)$"
)


# ------------------------------------------------------------------------------- logging in


def test_log_in_by_keyboard_alone(open_console: Open) -> None:
    console = open_console()
    console.open("keys")
    page = console.page
    expect(page.get_by_label("key")).to_be_focused()
    page.keyboard.type(ADMIN_KEY)
    page.keyboard.press("Enter")
    console.expect_view("keys")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "New key":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="New key")).to_be_visible()
    expect(page.get_by_label("Tenant").last).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="New key")).to_be_focused()


def test_the_skip_link_leads_to_the_content(console: Console) -> None:
    page = console.page
    page.reload()
    console.expect_view("live")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_wrong_key_is_told(open_console: Open) -> None:
    console = open_console()
    console.open()
    console.page.get_by_label("key").fill("not-the-key")
    console.page.get_by_role("button", name="Log in").click()
    expect(console.page.get_by_role("alert").first).to_contain_text("neither")
    assert console.page.get_by_label("key").input_value() == ""
    console.forgive("401")


def test_log_out(open_console: Open) -> None:
    console = open_console()
    console.log_in(ADMIN_KEY)
    console.page.get_by_role("button", name="Log out").click()
    expect(console.page.get_by_label("key")).to_be_visible()
    console.page.reload()
    expect(console.page.get_by_label("key")).to_be_visible()


def test_log_out_gives_up_what_is_still_asked(open_console: Open) -> None:
    console = open_console()
    page = console.page
    page.route("**/console/api/backends", lambda _: None)  # it gets no answer
    with page.expect_request("**/console/api/backends"):
        console.log_in(ADMIN_KEY)
    with page.expect_event("requestfailed") as given_up:
        page.get_by_role("button", name="Log out").click()
    assert given_up.value.url.endswith("/console/api/backends")
    expect(page.get_by_label("key")).to_be_visible()


# ------------------------------------------------------------------------------- playground


def ask(console: Console, text: str, model: str = "cloud/quick", lane: int = 0) -> Locator:
    console.page.locator(f"[data-lane='{lane}'] select").select_option(model)
    console.page.get_by_role("textbox", name="Question").fill(text)
    console.page.keyboard.press("Enter")
    return console.page.locator(f"[data-lane='{lane}'] .turn").last


def test_an_answer_streams_and_its_trail_stands_beside_it(
    console: Console, provider: ScriptedProvider
) -> None:
    provider.script("quick", "tale+drip-10ms")
    console.go("playground")
    turn = ask(console, "Tell me of the sea")
    answer = turn.locator(".answer")
    expect(answer).to_have_attribute("aria-busy", "true")
    expect(answer).not_to_be_empty()
    half = answer.inner_text()
    expect(answer).not_to_have_attribute("aria-busy", "true")
    assert answer.inner_text().startswith(half)
    assert len(answer.inner_text()) > len(half)
    figures = turn.locator(".figures")
    expect(figures).to_contain_text(re.compile(r"first token\s*\d+(\.\d)? ms"))
    expect(figures).to_contain_text(re.compile(r"tokens\s*\d+ → \d+"))
    expect(figures).to_contain_text(re.compile(r"cost\s*\$0\.\d{3,6}"))
    expect(figures).to_contain_text("cache")
    bars = console.page.locator("[data-lane='0'] .fall .stage")
    expect(bars.first).to_have_text("Admission")
    assert {"Router", "Attempt", "Answer"} <= set(bars.all_inner_texts())
    router = console.page.locator(".fall li", has_text="Router")
    router.locator("summary").click()
    expect(router.locator("dl")).to_contain_text("cloud/quick")
    attempt = console.page.locator(".fall li", has_text="Attempt").locator(".span")
    assert attempt.evaluate("bar => bar.getBoundingClientRect().width") > 2


def test_the_same_question_again_comes_out_of_the_cache(console: Console) -> None:
    console.go("playground")
    page = console.page
    page.get_by_label("Stream").uncheck()
    page.locator("summary", has_text="Parameters").click()
    page.get_by_label("System prompt").fill("You are terse.")
    page.get_by_label("Max tokens").fill("500")
    expect(ask(console, "What is kept?").locator(".figures")).to_contain_text("miss")

    def is_kept() -> bool:
        page.get_by_role("button", name="Begin anew").click()
        figures = ask(console, "What is kept?").locator(".figures")
        expect(figures).to_contain_text("tokens")
        return "memory" in figures.inner_text()

    console.until(is_kept)
    expect(page.locator(".figures")).to_contain_text("$0")
    expect(page.locator(".fall")).to_contain_text("Cache")


def test_an_answer_is_stopped(console: Console, provider: ScriptedProvider) -> None:
    provider.script("quick", "endless")
    console.go("playground")
    turn = ask(console, "Never end")
    expect(turn.locator(".answer")).not_to_be_empty()
    console.page.get_by_role("button", name="Stop").click()
    expect(turn).to_contain_text("Stopped by you.")
    assert provider.wait("quick", "aborted")


def test_a_failed_answer_says_why(console: Console, provider: ScriptedProvider) -> None:
    provider.script("quick", "status-400")
    console.go("playground")
    turn = ask(console, "Fail, please")
    expect(turn.get_by_role("alert")).to_be_visible()
    console.forgive("400", "502")


def test_two_models_side_by_side(console: Console, provider: ScriptedProvider) -> None:
    provider.script("quick", "echo")
    console.go("playground")
    console.page.get_by_role("button", name="Compare two").click()
    console.page.locator("[data-lane='1'] select").select_option("cloud/steady")
    ask(console, "The same for both")
    for lane, model in (("0", "quick"), ("1", "steady")):
        column = console.page.locator(f"[data-lane='{lane}']")
        expect(column.locator(".figures")).to_contain_text(f"cloud / {model}")
        expect(column.locator(".fall .stage").first).to_have_text("Admission")
    top = "lane => lane.getBoundingClientRect().top"
    tops = {console.page.locator(f"[data-lane='{lane}']").evaluate(top) for lane in "01"}
    assert len(tops) == 1


# ------------------------------------------------------------------------------- the live view


def test_a_broken_backend_turns_red_and_green_again(
    console: Console, caller: Caller, provider: ScriptedProvider
) -> None:
    row = console.page.locator("[data-backend='cloud/shaky']")
    expect(row).to_have_attribute("data-state", "ok")
    provider.script("shaky", *["status-500"] * BREAKING, "ok")
    console.until(lambda: caller.ask("hello", "cloud/shaky")[0] != 200 and broken(provider))
    expect(row).to_have_attribute("data-state", "open")
    expect(row.locator(".tag")).to_have_class(re.compile(r"\bbad\b"))
    expect(row.locator(".tag")).to_have_text("breaker open")
    expect(console.page.locator(".bar")).to_contain_text("1 unwell")
    console.until(lambda: caller.ask("hello", "cloud/shaky")[0] == 200)
    expect(row).to_have_attribute("data-state", "ok")
    expect(row.locator(".tag")).to_have_class(re.compile(r"\bgood\b"))
    expect(console.page.locator(".bar")).to_contain_text("All well")


def broken(provider: ScriptedProvider) -> bool:
    return len(provider.log("shaky")) >= BREAKING


def test_the_live_view_shows_what_was_asked_and_can_be_paused(
    console: Console, caller: Caller
) -> None:
    page = console.page
    caller.ask("seen on the live view")
    requests = page.locator(".tile").first
    expect(requests).not_to_contain_text("– in the window")
    expect(requests).to_contain_text(re.compile(r"[1-9]\d* in the window"))
    expect(page.locator(".plot canvas")).to_have_count(6)
    expect(page.get_by_role("group", name=re.compile("^Traffic: Requests"))).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Paused")).to_be_hidden()
    page.get_by_role("button", name="15 min").click()
    expect(page.get_by_role("button", name="15 min")).to_have_attribute("aria-pressed", "true")


# ------------------------------------------------------------------------------- the office


def test_an_entry_is_purged(console: Console, caller: Caller) -> None:
    text = "Which bird sings at night?"
    console.until(lambda: caller.ask(text)[1]["x-serve-app-cache"] == "l1")
    console.go("cache")
    console.page.get_by_label("Tenant").first.fill("shop")
    console.page.get_by_label("Words in the question").fill("bird SINGS")
    console.page.get_by_role("button", name="Search").click()
    row = console.page.locator("[data-fingerprint]")
    expect(row).to_have_count(1)
    expect(row).to_contain_text(text)
    row.get_by_role("button", name="Purge").click()
    dialog = console.page.get_by_role("dialog", name="Purge from the cache?")
    expect(dialog).to_contain_text(text)
    expect(dialog.get_by_role("button", name="Leave it")).to_be_focused()
    dialog.get_by_role("button", name="Purge").click()
    expect(console.page.locator(".toasts")).to_contain_text("Answers purged: 1")
    assert caller.ask(text)[1]["x-serve-app-cache"] == "miss"


def test_a_key_is_made_used_and_revoked(console: Console, gateway: Gateway) -> None:
    page = console.page
    console.go("keys")
    page.get_by_role("button", name="New key").click()
    form = page.get_by_role("dialog", name="New key")
    form.get_by_label("Tenant").fill("acme")
    form.get_by_label("User").fill("ada")
    form.get_by_label("Models").fill("cloud/quick")
    form.get_by_label("Requests per minute").fill("50")
    form.get_by_role("button", name="Make the key").click()
    shown = page.get_by_role("dialog", name="Your new key")
    secret = shown.locator("code").inner_text()
    assert Caller(gateway.url, secret).ask("with a key of my own")[0] == 200
    shown.get_by_role("button", name="Copy").click()
    expect(page.locator(".toasts")).to_contain_text("Copied")
    shown.get_by_role("button", name="I have it").click()
    row = page.locator("[data-key]", has_text="acme")
    expect(row).to_contain_text("requests per minute 50")
    expect(page.locator("#key-made code")).to_have_text("")
    assert secret not in page.content()
    row.get_by_role("button", name="Disable").click()
    page.get_by_role("dialog", name="Disable this key?").get_by_role(
        "button", name="Disable"
    ).click()
    expect(row).to_contain_text("disabled")
    assert Caller(gateway.url, secret).ask("refused now")[0] == 401
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Delete this key?").get_by_role("button", name="Delete").click()
    expect(page.locator("[data-key]", has_text="acme")).to_have_count(0)


def test_a_task_is_cancelled_and_a_dead_one_tried_again(
    console: Console, caller: Caller, provider: ScriptedProvider
) -> None:
    provider.script("quick", "status-400", "ok")
    page = console.page
    later = {"message": "in an hour", "model": "cloud/quick", "delay_s": 3600}
    _, _, waiting = caller.send("POST", "/agent/async", later)
    _, _, failed = caller.send("POST", "/agent/async", {"message": "now", "model": "cloud/quick"})
    console.go("tasks")
    row = page.locator(f"[data-task='{waiting['task_id']}']")
    row.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog", name="Cancel this?").get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("cancelled")
    bad = page.locator(f"[data-task='{failed['task_id']}']")
    expect(bad).to_contain_text("failed")
    bad.get_by_role("button", name="Retry").click()
    expect(bad).to_contain_text("done")


def test_a_batch_shows_its_progress(console: Console, caller: Caller) -> None:
    body = {"model": "cloud/quick", "messages": [{"role": "user", "content": "hi"}]}
    line = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    lines = [{"custom_id": str(number), **line} for number in range(4)]
    batch = {
        "input_file_id": caller.upload(lines),
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    _, _, made = caller.send("POST", "/v1/batches", batch)
    console.go("tasks")
    console.page.get_by_role("button", name="Batches").click()
    row = console.page.locator(f"[data-batch='{made['id']}']")
    expect(row).to_contain_text("4 / 4")
    expect(row).to_contain_text("done")


def test_a_viewer_sees_all_and_changes_nothing(open_console: Open) -> None:
    console = open_console()
    console.log_in(VIEWER_KEY)
    expect(console.page.locator(".bar")).to_contain_text("Read only")
    for view in ("keys", "cache", "tasks", "playground", "alerts"):
        console.go(view)
        expect(console.page.get_by_role("button", name=CHANGING)).to_have_count(0)
    status = console.page.evaluate(
        """async () => {
          const { csrf } = await (await fetch("/console/api/session")).json();
          const body = JSON.stringify({ tenant: "mine" });
          const headers = { "x-serve-app-csrf": csrf, "content-type": "application/json" };
          return (await fetch("/v1/keys", { method: "POST", headers, body })).status;
        }"""
    )
    assert status == 403
    console.forgive("403")
