"""The first task of a batch: its input file is checked, line by line, and cut into shards."""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from typing import Final

from msgspec import Struct

from serve_app.batches.lines import Line, lines
from serve_app.batches.openlist import Open, OpenList
from serve_app.batches.plan import Cutter
from serve_app.batches.register import Register
from serve_app.config.batch_policy import BatchesPolicy
from serve_app.core.batch import Batch, LineError, Shard
from serve_app.core.errors import NotFound
from serve_app.core.stored_file import FileRecord
from serve_app.files.files import Files
from serve_app.files.parts import Parts
from serve_app.wire.batch_lines import RequestLine, decode_line
from serve_app.work.batch_flow import BatchFlow
from serve_app.work.batch_tasks import task_of

MAX_ERRORS: Final = 100
"""That are told of one batch."""

PARTS_KEPT_S: Final = 2 * 86_400
"""After a batch's time is over: by then it is joined, or never will be."""


class Checked(Struct, frozen=True):
    """What was found in an input file."""

    plan: list[Shard]
    model: str
    errors: list[LineError]


class InputCheck:
    """Checks the lines of one batch as they come.

    Args:
        endpoint: that they must be requests of.
    """

    def __init__(self, endpoint: str, policy: BatchesPolicy) -> None:
        self._endpoint = endpoint
        self._most = policy.max_requests
        self._cutter = Cutter(policy.shard_requests)
        self._seen: set[bytes] = set()
        self._inputs = 0
        self._model = ""
        self._errors: list[LineError] = []
        self.is_hopeless = False
        """Nobody wants to know more errors."""

    def add(self, line: Line) -> None:
        """The next line of the file."""
        if line.is_empty:
            return
        if line.text is None:
            self._wrong("line_too_long", "This line is longer than a request may be.", line)
            return
        request = decode_line(line.text, line.number, self._endpoint)
        if isinstance(request, LineError):
            self._tell(request)
        else:
            self._take(request, line)

    def finish(self) -> Checked:
        """The file is over."""
        plan = self._cutter.finish()
        if not plan and not self._errors:
            self._tell(LineError("empty_file", "The input file has no requests."))
        return Checked(plan, self._model, self._errors)

    def _take(self, request: RequestLine, line: Line) -> None:
        digest = hashlib.sha256(request.custom_id.encode()).digest()[:16]
        if digest in self._seen:
            what = "The custom_id of this line is that of another one."
            self._wrong("duplicate_custom_id", what, line, "custom_id")
            return
        self._seen.add(digest)
        self._inputs += request.inputs
        if len(self._seen) > self._most or self._inputs > self._most:
            what = f"A batch has at most {self._most} requests, and texts to embed."
            self._wrong("too_many_requests", what, line)
            self.is_hopeless = True
            return
        self._model = self._model or request.model
        self._cutter.add(line, request.inputs)

    def _wrong(self, code: str, message: str, line: Line, param: str | None = None) -> None:
        self._tell(LineError(code, message, line.number, param))

    def _tell(self, error: LineError) -> None:
        self._errors.append(error)
        self.is_hopeless = self.is_hopeless or len(self._errors) >= MAX_ERRORS


class BatchStart:
    """Carries out tasks of the kind `batch-start`; done again, they do what is missing.

    Args:
        most_line_bytes: of one request.
    """

    def __init__(
        self,
        register: Register,
        open_list: OpenList,
        files: Files,
        parts: Parts,
        flow: BatchFlow,
        *,
        most_line_bytes: int,
    ) -> None:
        self._register = register
        self._open_list = open_list
        self._files = files
        self._parts = parts
        self._flow = flow
        self._most_line_bytes = most_line_bytes

    async def run(self, payload: bytes) -> None:
        """Begin a batch."""
        about = task_of(payload)
        batch = await self._register.find(about.tenant, about.batch_id)
        if batch is None or batch.is_over:
            return
        if not batch.shards and not await self._begun(batch):
            await self._open_list.take_off(Open(batch.tenant, batch.id))
            return
        await self._flow.resume(batch)

    async def _begun(self, batch: Batch) -> bool:
        """Check a batch and let it begin; False: it is over before it has begun."""
        checked = await self._checked(batch)
        if checked.errors:
            await self._register.fail(batch, checked.errors)
            return False
        # Before the first part can be written.
        until = batch.terms.expires_at + PARTS_KEPT_S
        await self._parts.promise(batch.tenant, batch.id, until)
        had = await self._register.begin(batch, checked.plan, checked.model)
        if had == "cancelling":
            await self._register.move(batch, ("cancelling",), "cancelled")
        return had in ("validating", "in_progress")

    async def _checked(self, batch: Batch) -> Checked:
        policy, terms = self._register.policy, batch.terms
        try:
            record = await self._files.get(batch.tenant, terms.input_file_id)
            if record.bytes > policy.max_input_bytes:
                what = f"The input file has more than {policy.max_input_bytes} bytes."
                return Checked([], "", [LineError("file_too_large", what)])
            return await self._read(record, InputCheck(terms.endpoint, policy))
        except (NotFound, FileNotFoundError):
            what = "The input file is not there any more."
            return Checked([], "", [LineError("input_file_missing", what, None, "input_file_id")])

    async def _read(self, record: FileRecord, check: InputCheck) -> Checked:
        async with aclosing(self._files.read(record)) as pieces:
            async for line in lines(pieces, self._most_line_bytes):
                check.add(line)
                if check.is_hopeless:
                    break
        return check.finish()
