"""How the console looks: on phones and wide screens, in both languages, light and dark, empty."""

from __future__ import annotations

import re
from typing import Any

import pytest
from page_browser import VIEWS, Console, Open
from page_client import Caller
from playwright.sync_api import expect

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
WIDE = {"viewport": {"width": 1440, "height": 900}}
LONG = "a-tenant-whose-name-is-as-long-as-a-tenants-name-may-be-00000000"


@pytest.fixture(scope="module")
def full(caller: Caller) -> None:
    """Something to show in every view, long names among it."""
    caller.ask("What is there to see? " * 30)
    caller.send("POST", "/agent/async", {"message": "later", "delay_s": 3600})
    silence = {"matchers": [{"label": "alert", "value": LONG}], "for_s": 60, "reason": LONG}
    caller.as_admin("POST", "/v1/alerts/silences", silence)
    caller.as_admin("POST", "/v1/keys", {"tenant": LONG, "user": LONG, "note": LONG})


@pytest.mark.parametrize("screen", [PHONE, WIDE], ids=["phone", "wide"])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_no_view_is_wider_than_its_screen(
    open_console: Open, admin: list[Any], full: None, screen: dict[str, Any], locale: str
) -> None:
    console = open_console(locale=locale, **screen)
    console.enter(admin)
    for view in VIEWS:
        console.go(view)
        expect(console.page.locator("[x-data] .none[x-t='state.waiting']:visible")).to_have_count(0)
        assert console.too_wide() == [], view
        assert console.unworded() == [], view


def test_dialogs_and_the_login_fit_on_a_phone(open_console: Open, admin: list[Any]) -> None:
    console = open_console(**PHONE)
    console.open()
    expect(console.page.get_by_label("key")).to_be_visible()
    assert console.too_wide() == []
    console = open_console(**PHONE)
    console.enter(admin, "keys")
    console.page.get_by_role("button", name="New key").click()
    expect(console.page.get_by_role("dialog", name="New key")).to_be_visible()
    assert console.too_wide() == []


def test_the_menu_of_a_phone_opens_goes_and_closes(open_console: Open, admin: list[Any]) -> None:
    console = open_console(**PHONE)
    console.enter(admin)
    menu = console.page.get_by_role("button", name="Menu")
    costs = console.page.get_by_role("link", name="Costs")
    expect(costs).to_be_hidden()
    menu.click()
    expect(menu).to_have_attribute("aria-expanded", "true")
    costs.click()
    console.expect_view("costs")
    expect(costs).to_be_hidden()
    menu.click()
    console.page.keyboard.press("Escape")
    expect(costs).to_be_hidden()
    expect(menu).to_be_focused()


def test_chinese_by_the_browser_and_english_by_the_switch(
    open_console: Open, admin: list[Any]
) -> None:
    console = open_console(locale="zh-CN")
    console.enter(admin)
    page = console.page
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.get_by_role("link", name="费用")).to_be_visible()
    expect(page).to_have_title("实时 · serve-app")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("link", name="Costs")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="Costs")).to_be_visible()


def test_dark_by_the_system_and_light_by_the_switch(open_console: Open, admin: list[Any]) -> None:
    console = open_console(color_scheme="dark")
    console.enter(admin)
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = console.page.evaluate(ground)
    console.page.get_by_role("button", name="Colours of the system").click()
    light = console.page.evaluate(ground)
    assert brightness(dark) < 100 < 600 < brightness(light)
    console.page.get_by_role("button", name="Light").click()
    assert console.page.evaluate(ground) == dark


def brightness(colour: str) -> int:
    return sum(map(int, re.findall(r"\d+", colour)))


def test_a_gateway_that_is_away_is_told_and_asked_again(console: Console) -> None:
    page = console.page
    page.route("**/v1/keys?*", lambda route: route.abort())
    console.go("keys")
    expect(page.get_by_role("alert").first).to_contain_text("cannot be reached")
    page.unroute("**/v1/keys?*")
    page.get_by_role("button", name="Try again").first.click()
    expect(page.locator("[data-key]").first).to_be_visible()
    console.forgive_failed()


def test_costs_add_up_and_are_saved_as_csv(console: Console, caller: Caller, full: None) -> None:
    def counted() -> bool:
        _, _, report = caller.as_admin("GET", "/v1/costs?group_by=tenant&tenant=shop")
        return bool(report["total"]["cost_micro_usd"])

    console.until(counted)
    console.go("costs")
    page = console.page
    row = page.locator("[x-data=costs] .scroll tbody tr", has_text="shop")
    expect(row).to_contain_text("$0.")
    page.locator("label", has_text="By").locator("select").select_option("model")
    expect(page.locator("[x-data=costs] .scroll tbody tr").first).to_contain_text("quick")
    page.get_by_role("button", name="24 h").click()
    expect(page.locator("[x-data=costs] .plot canvas")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("model,requests,failed,")
    assert any(line.startswith("quick,") for line in lines)


def test_an_alert_is_silenced_and_heard_again(console: Console) -> None:
    page = console.page
    console.go("alerts")
    page.get_by_role("button", name="New silence").click()
    form = page.get_by_role("dialog", name="New silence")
    form.get_by_label("Labels, one a line").fill("severity=warning\nbackend=~cloud.*")
    form.get_by_label("Reason").fill("moving house")
    form.get_by_role("button", name="Silence").click()
    row = page.locator("[data-silence]", has_text="moving house")
    expect(row).to_contain_text("severity=warning · backend=~cloud.*")
    row.get_by_role("button", name="End").click()
    page.get_by_role("dialog", name="End this silence?").get_by_role("button", name="End").click()
    expect(row).to_have_count(0)
