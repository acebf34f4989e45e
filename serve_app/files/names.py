"""Where content is kept: tenants and ids in, names of blobs out."""

from __future__ import annotations

from serve_app.store.keys import escape


def folder(tenant: str, thing: str) -> str:
    """All content of a file or a batch. The `t-` keeps a tenant such as `..` a plain name."""
    return f"t-{escape(tenant)}/{escape(thing)}"


def content(tenant: str, file_id: str, blob: str) -> str:
    """What one attempt wrote as the content of a file; no two attempts write one blob."""
    return f"{folder(tenant, file_id)}/{escape(blob)}"


def part(tenant: str, batch_id: str, name: str) -> str:
    """What one attempt at a shard of a batch wrote."""
    return f"{folder(tenant, batch_id)}/{escape(name)}"
