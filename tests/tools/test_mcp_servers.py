"""Which MCP servers requests may name, and what those are sent."""

from __future__ import annotations

from typing import Any

import pytest

from serve_app.config.tools_policy import ToolsPolicy
from serve_app.core.errors import BadRequest, PolicyRejected
from serve_app.tools.servers import Endpoint, Servers
from serve_app.tools.wanted import McpWanted, wanted_of

DOCS = {"label": "docs", "url": "https://docs.example/mcp"}


def servers(*listed: dict[str, Any], environ: dict[str, str] | None = None, **more: Any) -> Servers:
    policy = ToolsPolicy.model_validate({"enabled": True, "mcp": list(listed), **more})
    return Servers(policy, environ or {})


def find(known: Servers, tenant: str = "acme", **fields: Any) -> Endpoint:
    wanted = wanted_of({"type": "mcp", "server_label": "docs", **fields}, 0)
    assert isinstance(wanted, McpWanted)
    return known.find(wanted, tenant, "tools[0]")


def refused(known: Servers, tenant: str = "acme", **fields: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        find(known, tenant, **fields)
    return caught.value


def test_a_server_is_named_by_its_label_or_by_its_url() -> None:
    assert find(servers(DOCS)).url == "https://docs.example/mcp"
    named = find(servers(DOCS), server_label="mine", server_url="https://docs.example/mcp")
    assert (named.label, named.listed) == ("mine", "docs")


@pytest.mark.parametrize(
    "fields",
    [
        {"server_label": "other"},
        {"server_url": "https://docs.example/mcp/"},
        {"server_url": "https://docs.example/mcp?x=1"},
        {"server_url": "https://docs.example.evil/mcp"},
        {"server_url": "http://docs.example/mcp"},
        {"server_url": "http://169.254.169.254/latest"},
    ],
)
def test_no_other_server_is_called(fields: dict[str, Any]) -> None:
    error = refused(servers(DOCS), **fields)
    assert error.code == "mcp_server_not_found"
    assert error.param in ("tools[0].server_label", "tools[0].server_url")
    assert "there are: docs" in error.message


def test_a_server_of_other_tenants_is_not_there() -> None:
    known = servers({**DOCS, "tenants": ["bravo"]})
    assert find(known, "bravo").listed == "docs"
    error = refused(known, "acme")
    assert "there are: none" in error.message


@pytest.mark.parametrize(
    "url",
    [
        "https://docs.example/mcp/acme",
        "https://docs.example/mcp/a/b",
        "https://docs.example:443/mcp/a",
    ],
)
def test_a_prefix_stands_for_all_below_it(url: str) -> None:
    known = servers({**DOCS, "prefix": True})
    assert find(known, server_url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://docs.example/mcpx",
        "https://docs.example/mcp/../admin",
        "https://docs.example/mcp/%2e%2e/admin",
        "https://docs.example/mcp/%252e%252e/admin",
        "https://docs.example/mcp/..%2fadmin",
        "https://docs.example/mcp//a",
        "https://docs.example/mcp/\\..\\admin",
        "https://docs.example/mcp/a?q=1",
        "https://docs.example/mcp/a#b",
        "https://user@docs.example/mcp/a",
        "https://docs.example@evil.example/mcp/a",
        "https://docs.example:8443/mcp/a",
        "https://docs.example:bad/mcp/a",
        "https://docs.example/mcp/" + "a" * 3000,
    ],
)
def test_a_prefix_is_not_left(url: str) -> None:
    assert refused(servers({**DOCS, "prefix": True}), server_url=url).status == 400


def test_secrets_come_from_the_environment() -> None:
    listed = {**DOCS, "headers_env": {"Authorization": "DOCS_TOKEN"}}
    known = servers(listed, environ={"DOCS_TOKEN": "Bearer x\n"})
    assert find(known).headers == {"authorization": "Bearer x"}


@pytest.mark.parametrize("value", [None, "", "a\r\nb: c", "schlüssel"])
def test_a_secret_that_is_not_there_or_no_header_is_refused_with_the_policy(
    value: str | None,
) -> None:
    listed = {**DOCS, "headers_env": {"Authorization": "DOCS_TOKEN"}}
    environ = {} if value is None else {"DOCS_TOKEN": value}
    with pytest.raises(PolicyRejected, match="DOCS_TOKEN") as caught:
        servers(listed, environ=environ)
    assert not value or value not in str(caught.value)


def test_a_callers_token_is_passed_on_only_where_the_policy_says_so() -> None:
    assert refused(servers(DOCS), authorization="t").param == "tools[0].authorization"
    known = servers({**DOCS, "forward_authorization": True})
    assert find(known, authorization="t").headers == {"authorization": "Bearer t"}
    assert find(known, authorization="t").key != find(known, authorization="u").key
    assert find(known).key == find(known, server_label="docs").key


@pytest.mark.parametrize("token", ["a\r\nhost: x", "", "ü", "x" * 9000])
def test_what_is_no_token_goes_into_no_header(token: str) -> None:
    known = servers({**DOCS, "forward_authorization": True})
    assert refused(known, authorization=token).status == 400


def test_any_server_may_be_named_where_the_policy_says_so() -> None:
    known = servers(DOCS, any_server=True)
    found = find(known, server_label="x", server_url="https://mcp.example/a?b=c")
    assert (found.listed, found.url) == ("", "https://mcp.example/a?b=c")
    assert find(known).listed == "docs"


@pytest.mark.parametrize(
    "url",
    [
        "http://mcp.example/a",
        "ftp://mcp.example",
        "https://",
        "https://u:p@mcp.example/",
        "https://x:0/",
    ],
)
def test_even_then_it_is_an_https_url_without_a_user(url: str) -> None:
    error = refused(servers(DOCS, any_server=True), server_label="x", server_url=url)
    assert error.param == "tools[0].server_url"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"server_label": ""}, "tools[0].server_label"),
        ({"connector_id": "connector_gmail"}, "tools[0].connector_id"),
        ({"headers": {"x": "y"}}, "tools[0].headers"),
        ({"require_approval": "sometimes"}, "tools[0].require_approval"),
        ({"allowed_tools": 3}, "tools[0]"),
        ({"server_url": 3}, "tools[0]"),
    ],
)
def test_what_a_request_may_not_say_names_the_field(fields: dict[str, Any], param: str) -> None:
    assert refused(servers(DOCS), **fields).param == param


@pytest.mark.parametrize(
    "url", ["ftp://x/", "https://", "docs", "https://u:p@x/", "https://x/?a=b", "https://x/#a"]
)
def test_the_policys_url_is_a_plain_one(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        servers({**DOCS, "url": url})


def test_labels_are_unique() -> None:
    with pytest.raises(ValueError, match="docs"):
        servers(DOCS, DOCS)
