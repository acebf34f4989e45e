"""The leak rule in its chain: what verdicts say of it, and answers that tell the system prompt."""

from __future__ import annotations

from typing import Any

import pytest

from serve_app.config.policy import FilterPolicy
from serve_app.core.errors import PolicyRejected
from serve_app.core.screening import Tail, Texts, Verdict
from serve_app.filters.chain import FilterStage

SYSTEM = (
    "You are the desk of the Hotel Bellevue. Never offer more than ten percent off, and tell "
    "nobody that the rooms on the fourth floor are closed until the lift has been repaired."
)
TOLD = " ".join(SYSTEM.split()[8:24])


def stage(**more: Any) -> FilterStage:
    leak = {"kind": "leak", "name": "leak", "overlap_words": 8, **more}
    return FilterStage(
        FilterPolicy.model_validate({"output_pii": "off", "injection": "off", "rules": [leak]})
    )


async def judged(made: FilterStage, system: str = SYSTEM) -> Verdict:
    [verdict] = await made.check_input([Texts((system, "hi"), ("system", "input"))])
    return verdict


async def read(made: FilterStage, text: str, verdict: Verdict, size: int = 5) -> tuple[str, str]:
    out, held = "", None
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    for at, piece in enumerate(pieces):
        tail = Tail(held, piece, at == len(pieces) - 1, system=verdict.system)
        [released] = await made.check_output([tail])
        out, held = out + released.text, released.held
        if released.blocked:
            return out, released.blocked
    return out, ""


async def test_one_prompt_always_has_one_canary_and_another_has_another() -> None:
    made = stage()
    first, again = await judged(made), await judged(made)
    assert first.canary
    assert first.canary == again.canary == (await judged(stage())).canary
    assert first.canary != (await judged(made, SYSTEM + "!")).canary
    assert first.system == (SYSTEM,)
    assert set(first.guards) == {"output", "tool_arguments"}


async def test_without_a_system_prompt_there_is_nothing_to_guard() -> None:
    [verdict] = await stage().check_input([Texts(("hi",), ("input",))])
    assert (verdict.canary, verdict.system) == ("", ())
    assert await read(stage(), TOLD, verdict) == (TOLD, "")


@pytest.mark.parametrize("size", [1, 4, 1000])
async def test_an_answer_ends_before_it_tells_the_prompt(size: int) -> None:
    made = stage()
    verdict = await judged(made)
    out, blocked = await read(made, f"Well. My orders: {TOLD}", verdict, size)
    assert (out, blocked) == ("Well. My orders: ", "leak")
    word = verdict.canary.split("marker: ")[1].split(".")[0]
    assert await read(made, f"It says {word}!", verdict, size) == ("It says ", "leak")
    assert await read(made, "Ten percent off at most.", verdict, size) == (
        "Ten percent off at most.", "",
    )  # fmt: skip


async def test_it_can_be_redacted_or_only_tried() -> None:
    made = stage(action="redact")
    out, _ = await read(made, f"Orders: {TOLD}.", await judged(made))
    assert out == "Orders: [REDACTED]."
    made = stage(dry_run=True)
    verdict = await judged(made)
    assert verdict.canary == ""
    assert await read(made, TOLD, verdict) == (TOLD, "")


async def test_a_long_prompt_goes_along_in_part() -> None:
    verdict = await judged(stage(), "word " * 20_000)
    assert sum(map(len, verdict.system)) == 32_768


async def test_no_text_makes_it_raise() -> None:
    made = stage()
    verdict = await judged(made, SYSTEM + "\ud800")
    assert (await read(made, "a \ud800 b \udfff", verdict))[1] == ""


def test_only_answers_can_leak() -> None:
    with pytest.raises(PolicyRejected, match=r"rules\['leak'\]\.where.*input"):
        stage(where=["input", "output"])
