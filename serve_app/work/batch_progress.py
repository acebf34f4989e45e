"""How far an attempt at a shard has come: kept now and then, so that the next one goes on."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import aclosing
from typing import Final

import msgspec

from serve_app.batches.register import Register
from serve_app.files.parts import Parts
from serve_app.store.errors import StoreUnavailable
from serve_app.work.batch_line import Answered
from serve_app.work.batch_tasks import BatchTask

log = logging.getLogger(__name__)

SAVE_EVERY_S: Final = 20.0
"""What a worker that is killed has done since is done again."""

_encode: Final = msgspec.msgpack.Encoder().encode
_answers: Final = msgspec.msgpack.Decoder(dict[int, Answered])


class Progress:
    """Answers of one attempt at a shard, by number of their line.

    Args:
        every_s: seconds between two looks whether there is something to keep.
    """

    def __init__(
        self, about: BatchTask, register: Register, parts: Parts, every_s: float = SAVE_EVERY_S
    ) -> None:
        self._about = about
        self._register = register
        self._parts = parts
        self._every_s = every_s
        self._part = ""
        self._kept = 0
        self.answers: dict[int, Answered] = {}

    async def load(self) -> None:
        """Take over what an attempt before this one has kept."""
        about = self._about
        self._part = await self._register.saved(about.tenant, about.batch_id, about.number)
        if not self._part:
            return
        stored = bytearray()
        try:
            reading = self._parts.read(about.tenant, about.batch_id, self._part)
            async with aclosing(reading) as pieces:
                async for piece in pieces:
                    stored += piece
        except FileNotFoundError:  # a later one of the same attempt is there, or none
            return
        self.answers = _answers.decode(stored)
        self._kept = len(self.answers)

    async def save(self) -> None:
        """Keep what there is."""
        if len(self.answers) == self._kept:
            return
        about, before = self._about, self._part
        answers = dict(self.answers)
        name = f"{about.number:05d}-{secrets.token_hex(8)}-saved"
        async with self._parts.writing(about.tenant, about.batch_id, name) as writing:
            await writing.write(_encode(answers))
            await writing.keep()
        await self._register.save(about.tenant, about.batch_id, about.number, name)
        self._part, self._kept = name, len(answers)
        if before:
            await self._parts.delete(about.tenant, about.batch_id, before)

    async def save_now_and_then(self) -> None:
        """Until it is cancelled. What cannot be kept now is kept later: it only saves work."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.save()
            except (OSError, StoreUnavailable) as error:
                log.warning("progress of %s is not kept: %s", self._about.batch_id, error)
