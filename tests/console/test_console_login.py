"""Sessions of the console over HTTP: who gets one, what it opens, and when it is over."""

from __future__ import annotations

from typing import Any

import aiohttp
from console.console_world import ADMIN_KEY, VIEWER_KEY, Desk, Open
from flow.houses import policy

from serve_app.store.embedded import EmbeddedValkey

SESSION = "/console/api/session"
OVERVIEW = "/console/api/overview"
CHAT = {"model": "ok", "messages": [{"role": "user", "content": "hello"}]}
KEY_REQUIRED = {"admission": {"require_key": True}}


async def test_nobody_is_logged_in_at_first(desk: Desk) -> None:
    status, told = await desk.get(SESSION)
    assert status == 200
    assert (told["role"], told["open"], told["login"], told["csrf"]) == (None, False, True, "")
    assert await desk.code("GET", OVERVIEW) == "login_required"
    assert (await desk.get("/v1/keys"))[0] == 403


async def test_an_admin_key_opens_everything(desk: Desk) -> None:
    told = await desk.login()
    assert told["role"] == "admin"
    assert (await desk.get(SESSION))[1]["csrf"] == told["csrf"]
    assert (await desk.get(OVERVIEW))[0] == 200
    status, made = await desk.send("POST", "/v1/keys", {"tenant": "acme"})
    assert status == 200
    assert made["key"].startswith("sk-serve-")
    assert (await desk.send("DELETE", f"/v1/keys/{made['id']}"))[0] == 200


async def test_a_wrong_key_opens_nothing(desk: Desk) -> None:
    status, told = await desk.send("POST", "/console/api/login", {"key": "guess"})
    assert (status, told["error"]["code"]) == (401, "wrong_key")
    assert (await desk.get(SESSION))[1]["role"] is None


async def test_the_cookie_is_for_this_host_and_no_script(desk: Desk) -> None:
    body = {"key": ADMIN_KEY}
    async with desk.http.post("/console/api/login", json=body) as plain:
        name, _, rest = plain.headers["set-cookie"].partition("=")
    assert name == "serve_app_console"
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(rest.split("; "))
    assert "Secure" not in rest
    secure = {"x-forwarded-proto": "https"}
    async with desk.http.post("/console/api/login", json=body, headers=secure) as bound:
        name, _, rest = bound.headers["set-cookie"].partition("=")
        assert bound.headers["cache-control"] == "no-store"
    assert name == "__Host-serve_app_console"
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(rest.split("; "))
    assert "Domain" not in rest


async def test_over_https_a_cookie_that_is_not_bound_does_not_count(desk: Desk) -> None:
    await desk.login()
    assert (await desk.get(SESSION))[1]["role"] == "admin"
    assert (await desk.get(SESSION, **{"x-forwarded-proto": "https"}))[1]["role"] is None


async def test_changes_need_the_word_that_only_the_page_knows(desk: Desk) -> None:
    await desk.login()
    for csrf in ("", "0" * 64, desk.csrf[:-1]):
        assert await desk.code("POST", "/v1/keys", {"tenant": "a"}, csrf=csrf) == "csrf_missing"
        chat = await desk.code("POST", "/v1/chat/completions", CHAT, csrf=csrf)
        assert chat == "csrf_missing"
        assert await desk.code("POST", "/console/api/logout", csrf=csrf) == "csrf_missing"
    assert (await desk.get("/v1/keys"))[1]["data"] == []
    assert (await desk.get(SESSION))[1]["role"] == "admin"


async def test_the_word_of_another_session_is_none(desk: Desk) -> None:
    other = (await desk.login())["csrf"]
    await desk.login()
    assert await desk.code("POST", "/v1/keys", {"tenant": "a"}, csrf=other) == "csrf_missing"


async def test_a_viewer_looks_and_changes_nothing(desk: Desk) -> None:
    told = await desk.login(VIEWER_KEY)
    assert told["role"] == "viewer"
    for path in (OVERVIEW, "/v1/keys", "/v1/tasks", "/v1/usage?tenant=default"):
        assert (await desk.get(path))[0] == 200, path
    changes: list[tuple[str, str, Any]] = [
        ("POST", "/v1/keys", {"tenant": "acme"}),
        ("DELETE", "/v1/cache?all=true", None),
        ("DELETE", "/v1/tasks?older_than_s=0", None),
        ("POST", "/v1/chat/completions", CHAT),
        ("POST", "/console/api/batches/batch_1/cancel", None),
    ]
    for method, path, body in changes:
        assert await desk.code(method, path, body) == "viewer_may_not_change", path


async def test_a_viewer_does_not_see_what_tenants_were_answered(desk: Desk) -> None:
    task = {"path": "/v1/chat/completions", "body": CHAT}
    _, made = await desk.send("POST", "/v1/tasks", task)
    await desk.login(VIEWER_KEY)
    assert (await desk.get(f"/agent/result/{made['task_id']}"))[0] == 404
    await desk.login(ADMIN_KEY)
    assert (await desk.get(f"/agent/result/{made['task_id']}"))[0] == 200


async def test_a_key_in_a_header_stands_for_itself(open_console: Open) -> None:
    """A cookie beside it makes nobody an admin, nor does its word count."""
    async with open_console(rules=policy(**KEY_REQUIRED)) as desk:
        await desk.login()
        _, made = await desk.send("POST", "/v1/keys", {"tenant": "acme"})
        bearer = f"Bearer {made['key']}"
        assert (await desk.get("/v1/keys", authorization=bearer))[0] == 403
        assert (await desk.get(OVERVIEW, **{"x-api-key": "nonsense"}))[0] == 403
        status, _ = await desk.send(
            "POST", "/v1/chat/completions", CHAT, csrf="", authorization=bearer
        )
        assert status == 200
        assert (await desk.get(OVERVIEW, authorization=f"Bearer {ADMIN_KEY}"))[0] == 200


async def test_the_playground_asks_as_the_console(open_console: Open) -> None:
    """Also where requests need a key; it has books of its own, and the limits of its tenant."""
    limits = [{"per": ["tenant"], "tenants": ["console"], "requests_per_minute": 2}]
    rules = policy(admission={"require_key": True, "limits": limits})
    async with open_console(rules=rules) as desk:
        assert await desk.code("POST", "/v1/chat/completions", CHAT) == "missing_api_key"
        await desk.login()
        for _ in range(2):
            assert (await desk.send("POST", "/v1/chat/completions", CHAT))[0] == 200
        assert await desk.code("POST", "/v1/chat/completions", CHAT) == "rate_limit_exceeded"
        _, usage = await desk.get("/v1/usage?tenant=console")
        assert usage["total"]["requests"] >= 1
        assert usage["users"][0]["name"] == "console"


async def test_background_work_of_the_console_is_done(open_console: Open) -> None:
    async with open_console(rules=policy(**KEY_REQUIRED)) as desk:
        await desk.login()
        task = {"path": "/v1/chat/completions", "body": CHAT}
        status, made = await desk.send("POST", "/v1/tasks", task)
        assert status == 202
        _, done = await desk.get(f"/agent/result/{made['task_id']}?wait_s=10")
        assert done["status"] == "succeeded", done


async def test_logging_out_ends_the_session_for_every_copy(desk: Desk) -> None:
    await desk.login()
    [copy] = [morsel for morsel in desk.http.cookie_jar if morsel.key == "serve_app_console"]
    value = copy.value
    status, told = await desk.send("POST", "/console/api/logout")
    assert (status, told["role"]) == (200, None)
    assert (await desk.get(SESSION))[1]["role"] is None
    headers = {"cookie": f"serve_app_console={value}"}
    async with aiohttp.ClientSession(desk.url) as thief:
        async with thief.get(SESSION, headers=headers) as answer:
            assert (await answer.json())["role"] is None
        async with thief.get("/v1/keys", headers=headers) as answer:
            assert answer.status == 403


async def test_a_session_is_good_at_every_replica(open_console: Open) -> None:
    async with open_console() as first, open_console() as second:
        await first.login()
        [morsel] = list(first.http.cookie_jar)
        cookie = {"cookie": f"{morsel.key}={morsel.value}"}
        async with second.http.get(OVERVIEW, headers=cookie) as answer:
            assert answer.status == 200
        await first.send("POST", "/console/api/logout")
        async with second.http.get(OVERVIEW, headers=cookie) as answer:
            assert answer.status == 401


async def test_too_many_wrong_keys(desk: Desk) -> None:
    """Of one address; a good one before forgives those before it."""
    for _ in range(9):
        assert await desk.code("POST", "/console/api/login", {"key": "guess"}) == "wrong_key"
    await desk.login()
    for _ in range(10):
        assert await desk.code("POST", "/console/api/login", {"key": "guess"}) == "wrong_key"
    body = {"key": ADMIN_KEY}
    async with desk.http.post("/console/api/login", json=body) as answer:
        assert answer.status == 429
        assert (await answer.json())["error"]["code"] == "too_many_logins"
        assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert (await desk.get(OVERVIEW))[0] == 200  # who is inside stays inside


async def test_behind_a_proxy_addresses_are_those_that_it_names(open_console: Open) -> None:
    async with open_console(args={"console": {"trust_proxy": True}}) as desk:
        for _ in range(10):
            await desk.code("POST", "/console/api/login", {"key": "x"}, x_forwarded_for="6.6.6.6")
        refused = await desk.code(
            "POST", "/console/api/login", {"key": "x"}, x_forwarded_for="1.1.1.1, 6.6.6.6"
        )
        assert refused == "too_many_logins"
        other = await desk.code(
            "POST", "/console/api/login", {"key": "x"}, x_forwarded_for="6.6.6.6, 1.1.1.1"
        )
        assert other == "wrong_key"


async def test_a_form_of_a_strange_page_cannot_log_in(desk: Desk) -> None:
    async with desk.http.post("/console/api/login", data='{"key": "x"}') as answer:
        assert answer.status == 400
    cross = await desk.code("POST", "/console/api/login", {"key": "x"}, sec_fetch_site="cross-site")
    assert cross == "cross_site"
    wrong: list[Any] = [{}, {"key": ""}, {"key": 1}, {"key": "x", "more": 1}, [], "x" * 5000]
    for body in wrong:
        status, _ = await desk.send("POST", "/console/api/login", body)
        assert status in (400, 413), body


async def test_where_no_key_is_needed_everybody_is_an_admin(open_console: Open) -> None:
    async with open_console(environ={}) as desk:
        told = (await desk.get(SESSION))[1]
        assert (told["role"], told["open"], told["login"]) == ("admin", True, False)
        assert (await desk.get(OVERVIEW))[0] == 200
        assert (await desk.send("POST", "/v1/keys", {"tenant": "acme"}))[0] == 200
        assert await desk.code("POST", "/console/api/login", {"key": "x"}) == "wrong_key"


async def test_where_no_key_is_needed_pages_of_other_sites_change_nothing(
    open_console: Open,
) -> None:
    async with open_console(environ={}) as desk:
        for site in ("cross-site", "same-site"):
            code = await desk.code("POST", "/v1/keys", {"tenant": "a"}, sec_fetch_site=site)
            assert code == "cross_site"
        own = await desk.send("POST", "/v1/keys", {"tenant": "a"}, sec_fetch_site="same-origin")
        assert own[0] == 200


async def test_a_gateway_without_any_key_to_give_says_so(open_console: Open) -> None:
    async with open_console(environ={}, rules=policy(**KEY_REQUIRED)) as desk:
        told = (await desk.get(SESSION))[1]
        assert (told["role"], told["open"], told["login"]) == (None, False, False)


async def test_a_session_ends_with_its_key(open_console: Open) -> None:
    async with open_console() as desk:
        await desk.login(VIEWER_KEY)
        [morsel] = list(desk.http.cookie_jar)
    cookie = {"cookie": f"{morsel.key}={morsel.value}"}
    async with (
        open_console(environ={"SERVE_APP_ADMIN_KEY": "k", "SERVE_APP_VIEWER_KEY": "new"}) as (desk),
        desk.http.get(OVERVIEW, headers=cookie) as answer,
    ):
        assert answer.status == 401
    async with open_console() as desk, desk.http.get(OVERVIEW, headers=cookie) as answer:
        assert answer.status == 200


async def test_while_redis_is_away_a_session_looks_and_changes_nothing(
    open_console: Open, clean_valkey: EmbeddedValkey
) -> None:
    async with open_console() as desk:
        await desk.login()
        clean_valkey.stop()
        try:
            status, told = await desk.get(OVERVIEW)
            assert status == 200
            assert told["redis"]["ok"] is False
            assert (await desk.get("/console/api/live"))[0] == 200
            assert await desk.code("POST", "/v1/keys", {"tenant": "a"}) == "sessions_unavailable"
            assert await desk.code("POST", "/console/api/logout") == "sessions_unavailable"
            assert (await desk.get(SESSION))[1]["role"] is None  # but here it is over
            assert (await desk.login())["role"] == "admin"
        finally:
            clean_valkey.start()


async def test_switched_off_there_is_no_console(open_console: Open) -> None:
    async with open_console(args={"console": {"enabled": False}}) as desk:
        for path in ("/", "/console", SESSION):
            assert (await desk.get(path))[0] == 404
