"""Crossing to another deployment cheaply: calls that arrive together ride together.

At most a few calls are in flight; what arrives meanwhile goes with the next one. A hop costs
milliseconds of CPU however small it is, so under load this is what keeps a deployed stage
within reach of a fused one (measured in docs/performance.md).
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import msgspec

from serve_app.core.errors import Overloaded

logger = logging.getLogger(__name__)

In = TypeVar("In")
Out = TypeVar("Out")

Send = Callable[[bytes], Awaitable[bytes]]


class HopFailed(Exception):
    """The other side could not be reached; `retryable` if another replica may answer."""

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable


class Coalescer(Generic[In, Out]):
    """One method of a deployed stage, called with batches of one and sent in batches of many.

    The method must be idempotent: a batch is sent once more if its replica died.

    Args:
        send: carries msgpack of a list of inputs across and brings msgpack of as many outputs.
        in_flight: calls at once; beyond that, items wait for the next one.
        max_batch: items in one call.
        max_waiting: items that may wait; beyond it callers get `Overloaded`.
        timeout_s: limit of one call.
        stops: True: a call that nobody waits for any more is cancelled.
    """

    def __init__(
        self,
        name: str,
        send: Send,
        output: type[Out],
        *,
        in_flight: int = 2,
        max_batch: int = 256,
        max_waiting: int = 4096,
        timeout_s: float = 10.0,
        stops: bool = False,
    ) -> None:
        self._name = name
        self._send = send
        self._decode = msgspec.msgpack.Decoder(list[output]).decode  # type: ignore[valid-type]
        self._free = in_flight
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._timeout_s = timeout_s
        self._stops = stops
        self._trips: set[_Trip] = set()
        self._waiting: deque[tuple[In, asyncio.Future[Out]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, batch: list[In]) -> list[Out]:
        """The outputs of a batch, in order.

        Raises:
            Overloaded: the stage did not answer in time, or too much waits for it.
        """
        loop = asyncio.get_running_loop()
        if len(self._waiting) + len(batch) > self._max_waiting:
            raise Overloaded(f"the {self._name} stage is overloaded", retry_after_s=1)
        futures = [loop.create_future() for _ in batch]
        self._waiting.extend(zip(batch, futures, strict=True))
        self._launch(loop)
        try:
            if len(futures) == 1:
                return [await futures[0]]
            return list(await asyncio.gather(*futures))
        except asyncio.CancelledError:
            if self._stops:
                self._stop_deserted(loop.time())
            raise

    def _stop_deserted(self, now: float) -> None:
        for trip in self._trips:
            if all(future.done() for future in trip.futures):
                trip.limit.reschedule(now)

    def _launch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start a carrier while there is something to carry and one is free.

        The carrier runs in a context of its own: Serve cancels the calls it finds in the
        context of a request whose caller left, and this call carries other requests too.
        """
        if self._free and self._waiting:
            self._free -= 1
            task = loop.create_task(self._carry(), context=contextvars.Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self) -> None:
        try:
            while self._waiting:
                await self._carry_once()
        finally:
            self._free += 1

    async def _carry_once(self) -> None:
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_batch))]
        taken = [(item, future) for item, future in taken if not future.done()]
        if not taken:
            return
        payload = msgspec.msgpack.encode([item for item, _ in taken])
        try:
            outputs = self._decode(await self._travel(payload, taken))
            if len(outputs) != len(taken):
                raise HopFailed("wrong number of results", retryable=False)
        except (HopFailed, TimeoutError, msgspec.MsgspecError) as error:
            if all(future.done() for _, future in taken):
                return
            logger.warning("the %s stage failed: %s", self._name, error or "no answer in time")
            _fail(taken, f"the {self._name} stage does not answer")
            return
        except asyncio.CancelledError:
            _fail(taken, f"the {self._name} stage was stopped")
            raise
        for (_, future), output in zip(taken, outputs, strict=True):
            if not future.done():
                future.set_result(output)

    async def _travel(
        self, payload: bytes, taken: list[tuple[In, asyncio.Future[Out]]]
    ) -> bytes:  # fmt: skip
        async with asyncio.timeout(self._timeout_s) as limit:
            trip = _Trip([future for _, future in taken], limit)
            self._trips.add(trip)
            try:
                return await self._send_twice(payload)
            finally:
                self._trips.discard(trip)

    async def _send_twice(self, payload: bytes) -> bytes:
        try:
            return await self._send(payload)
        except HopFailed as error:
            if not error.retryable:
                raise
            return await self._send(payload)


class _Trip:
    """A call under way: who waits for it, and the limit that ends it."""

    __slots__ = ("futures", "limit")

    def __init__(self, futures: list[asyncio.Future[Any]], limit: asyncio.Timeout) -> None:
        self.futures = futures
        self.limit = limit


def _fail(taken: list[tuple[Any, asyncio.Future[Any]]], message: str) -> None:
    for _, future in taken:
        if not future.done():
            future.set_exception(Overloaded(message, retry_after_s=1))


class RemoteStage:
    """A deployed stage with the same methods as a fused one.

    Args:
        methods: by method name, the (input, output) types of its batches.
        sender: gives the carrier of a method.
    """

    def __init__(
        self,
        name: str,
        methods: dict[str, tuple[Any, Any]],
        sender: Callable[[str], Send],
    ) -> None:
        for method, (_, output) in methods.items():
            setattr(self, method, Coalescer(f"{name}.{method}", sender(method), output))
