"""The page's files: from memory, with the right types, behind a strict policy, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from console.console_world import Desk
from yarl import URL

from serve_app.console.pages import TYPES, Pages, shipped


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "index.html").write_text("<p>hello</p>")
    (tmp_path / "vendor" / "chart.js").write_text("draw()")
    (tmp_path / "notes.md").write_text("not for others")
    (tmp_path / "page.py").write_text("not for others")
    return Pages(tmp_path)


def test_files_are_found_by_their_path_below_the_folder(pages: Pages) -> None:
    assert pages.names == ["index.html", "vendor/chart.js"]
    index = pages.find("")
    assert index is not None
    assert index is pages.find("index.html")
    assert (index.body, index.is_html) == (b"<p>hello</p>", True)
    chart = pages.find("vendor/chart.js")
    assert chart is not None
    assert chart.content_type == "text/javascript; charset=utf-8"
    assert chart.etag.startswith('"')
    assert chart.etag.endswith('"')


@pytest.mark.parametrize(
    "name", ["notes.md", "page.py", "../index.html", "vendor", "vendor/", "/index.html", "."]
)
def test_nothing_else_is(pages: Pages, name: str) -> None:
    assert pages.find(name) is None


def test_what_comes_later_is_not_read(pages: Pages, tmp_path: Path) -> None:
    (tmp_path / "late.js").write_text("late()")
    (tmp_path / "index.html").write_text("changed")
    assert pages.find("late.js") is None
    index = pages.find("")
    assert index is not None
    assert index.body == b"<p>hello</p>"


async def test_the_page_and_all_its_files_are_served_with_a_strict_policy(desk: Desk) -> None:
    names = Pages(shipped()).names
    assert "index.html" in names
    for name in ["", *names]:
        async with desk.http.get(f"/console/{name}".rstrip("/")) as answer:
            assert answer.status == 200, name
            suffix = Path(name or "index.html").suffix
            assert answer.headers["content-type"] == TYPES[suffix]
            policy = dict(
                part.strip().split(" ", 1)
                for part in answer.headers["content-security-policy"].split(";")
            )
            assert policy["default-src"] == "'none'"
            assert policy["script-src"] == policy["style-src"] == "'self'"
            assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            is_html = suffix == ".html"
            assert answer.headers["cache-control"] == ("no-store" if is_html else "no-cache")


async def test_a_browser_that_has_a_file_is_not_sent_it_again(desk: Desk) -> None:
    name = next(name for name in Pages(shipped()).names if name.endswith(".js"))
    async with desk.http.get(f"/console/{name}") as answer:
        tag = answer.headers["etag"]
    for told in (tag, f'"other", W/{tag}'):
        async with desk.http.get(f"/console/{name}", headers={"if-none-match": told}) as answer:
            assert answer.status == 304
            assert await answer.read() == b""
    async with desk.http.get(f"/console/{name}", headers={"if-none-match": '"x"'}) as answer:
        assert answer.status == 200


async def test_the_root_leads_to_the_page(desk: Desk) -> None:
    async with desk.http.get("/", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (302, "/console")
    for path in ("/console", "/console/"):
        async with desk.http.get(path) as answer:
            assert answer.content_type == "text/html"


async def test_no_path_leads_out_of_it(desk: Desk) -> None:
    paths = [
        "../pyproject.toml", "%2e%2e/__init__.py", "..%2f__init__.py", "/etc/passwd", "%00",
        "api/nothing", "__init__.py", "static/index.html", "index.html/",
    ]  # fmt: skip
    for path in paths:
        async with desk.http.get(URL(f"{desk.url}/console/{path}", encoded=True)) as answer:
            assert answer.status == 404, path
            assert (await answer.json())["error"]["code"] == "not_found"
