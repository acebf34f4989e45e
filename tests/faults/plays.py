"""A row of the table played against a gateway, wherever that runs."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from faults.kinds import End, Kind
from provider.answers import tale
from provider.fixtures import ScriptedProvider
from provider.refusal_words import UNWANTED

PLAIN = "plain"
"""A model that is always well."""

_numbers = itertools.count()


@dataclass(frozen=True)
class Play:
    """One row in one way: streamed or not. Its models are its own, so that no breaker and no log
    of another row has to do with it."""

    kind: Kind
    streams: bool

    @property
    def name(self) -> str:
        return f"{self.kind.name}-{'stream' if self.streams else 'whole'}"

    @property
    def first(self) -> str:
        return f"first-{self.name}"

    @property
    def second(self) -> str:
        return f"second-{self.name}"

    @property
    def end(self) -> End:
        end = self.kind.stream if self.streams else self.kind.whole
        assert end is not None
        return end


def plays(kinds: tuple[Kind, ...]) -> list[Play]:
    made = [(kind, Play(kind, streams=streams)) for kind in kinds for streams in (True, False)]
    return [p for kind, p in made if (kind.stream if p.streams else kind.whole) is not None]


def first_models(all_plays: list[Play]) -> list[dict[str, Any]]:
    """Their context is small, so that the second candidates have a larger one."""
    made = [{"id": play.first, "context": 8000, "capabilities": ["tools"]} for play in all_plays]
    return [*made, {"id": PLAIN, "context": 8000}]


def second_models(all_plays: list[Play]) -> list[dict[str, Any]]:
    return [
        {"id": play.second, "context": 32000, "capabilities": _able(play)} for play in all_plays
    ]


def _able(play: Play) -> list[str]:
    return ["tools", "prefix"] if play.kind.takes_prefix else ["tools"]


def routes(all_plays: list[Play], first: str, second: str) -> dict[str, Any]:
    """A route for each play: its first candidate at one backend, its second at the other."""
    return {
        play.name: {"models": [f"{first}/{play.first}", f"{second}/{play.second}"]}
        for play in all_plays
    }


@dataclass
class Got:
    """What a caller got."""

    status: int
    text: str = ""
    error: str = ""
    is_done: bool = False
    """A stream said `[DONE]`; a whole answer is always done."""
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


async def ask(http: aiohttp.ClientSession, model: str, question: str, *, stream: bool) -> Got:
    body = {"model": model, "messages": [{"role": "user", "content": question}], "stream": stream}
    began = time.monotonic()
    headers = {"Cache-Control": "no-store"}
    async with http.post("/v1/chat/completions", json=body, headers=headers) as answer:
        raw = await answer.read()
    got = _streamed(raw) if answer.content_type == "text/event-stream" else _whole(raw)
    got.status, got.seconds = answer.status, time.monotonic() - began
    got.headers = dict(answer.headers)
    return got


def _whole(raw: bytes) -> Got:
    value = json.loads(raw)
    if "error" in value:
        return Got(0, error=value["error"]["message"])
    [choice] = value["choices"]
    assert choice["finish_reason"] == "stop"
    return Got(0, choice["message"]["content"], is_done=True)


def _streamed(raw: bytes) -> Got:
    got, finish = Got(0), ""
    for line in raw.decode().split("\n"):
        if not line.startswith("data: "):
            assert not line, f"no event: {line[:200]!r}"
        elif line == "data: [DONE]":
            assert finish, "done without a finish reason"
            got.is_done = True
        else:
            value = json.loads(line[6:])
            assert not got.error, "something comes after the error"
            assert not got.is_done, "something comes after the end"
            got.error = value.get("error", {}).get("message", "")
            for choice in value.get("choices", ()):
                got.text += choice["delta"].get("content") or ""
                finish = choice.get("finish_reason") or finish
    return got


async def played(http: aiohttp.ClientSession, provider: ScriptedProvider, play: Play) -> None:
    """Play a row and compare its end with what it must be."""
    await asyncio.to_thread(provider.script, play.first, *play.kind.first)
    await asyncio.to_thread(provider.script, play.second, *play.kind.second)
    question = f"tell me about {play.name} number {next(_numbers)}"
    got = await ask(http, play.name, question, stream=play.streams)
    _ended_as_it_must(play, got, tale(question))
    await _asked_as_often_as_it_must(provider, play)
    await healthy(http)


def _ended_as_it_must(play: Play, got: Got, whole: str) -> None:
    end = play.end
    assert got.status == end.status, got
    assert got.seconds < end.within_s, got
    if end.status == 200 and not end.error:
        assert (got.text, got.error, got.is_done) == (whole, "", True), got
        return
    assert not got.is_done, got
    assert end.error in got.error, got
    assert got.error, got
    assert whole.startswith(got.text), "what was said is not of the right answer"
    for provider_name in UNWANTED:
        if play.kind.name == f"content-of-{provider_name}":
            assert _words(provider_name) in got.error, got


def _words(provider_name: str) -> str:
    """The provider's reason, as it must reach the caller."""
    error = json.loads(UNWANTED[provider_name][1])["error"]
    words = error if isinstance(error, str) else str(error["message"])
    return words[:60]


async def _asked_as_often_as_it_must(provider: ScriptedProvider, play: Play) -> None:
    first = await asyncio.to_thread(provider.log, play.first)
    second = await asyncio.to_thread(provider.log, play.second)
    end = play.end
    assert (len(first), len(second)) == (end.first, end.second), "wrong number of attempts"
    pauses = await asyncio.to_thread(provider.pauses, play.first)
    for pause, (least, most) in zip(pauses, end.pauses, strict=False):
        assert least <= pause <= most, f"a pause of {pause} s, not {least} to {most}"


async def healthy(http: aiohttp.ClientSession) -> None:
    """A plain question is answered at once."""
    question = f"are you well {next(_numbers)}"
    got = await ask(http, PLAIN, question, stream=False)
    assert (got.status, got.text) == (200, f"You said: {question}"), got
