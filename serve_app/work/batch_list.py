"""The batches of all tenants, for those who look after the service."""

from __future__ import annotations

from serve_app.batches.openlist import OpenList
from serve_app.batches.register import Register
from serve_app.core.batch import Batch, BatchPage, BatchQuery
from serve_app.work.batch_desk import BatchDesk


class BatchList:
    """Lists batches, and calls them off. Every method may raise `StoreUnavailable`."""

    def __init__(self, register: Register, open_list: OpenList, desk: BatchDesk) -> None:
        self._register = register
        self._open_list = open_list
        self._desk = desk

    async def page(self, tenant: str, query: BatchQuery) -> BatchPage:
        """Batches, the newest first.

        Args:
            tenant: whose; empty: everybody's, of the newest ten thousand.
        """
        if tenant:
            return await self._register.page(tenant, query)
        found: list[Batch] = []
        after, limit = query.after, query.limit + 1
        while len(found) < limit:
            listed = await self._open_list.listed(after, limit)
            if not listed:
                break
            named = [(one.tenant, one.batch_id) for one in listed]
            batches = await self._register.find_each(named)
            both = list(zip(listed, batches, strict=True))
            await self._open_list.unlist([one for one, batch in both if batch is None])
            found += [batch for _, batch in both if batch is not None]
            after = listed[-1].batch_id
        return BatchPage(found[: query.limit], len(found) > query.limit)

    async def cancel(self, tenant: str, batch_id: str) -> Batch:
        """See `BatchDesk.cancel`."""
        return await self._desk.cancel(tenant, batch_id)
