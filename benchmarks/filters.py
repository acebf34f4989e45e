"""What filters find and what they cost: `python -m benchmarks.filters`.

Recall and precision on texts that the tests generate from the grammars of the formats (a thing is
found where its range is exactly right; half of the texts have a near miss instead), then
microseconds of each rule for a kilobyte, whole and in pieces of four characters.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from random import Random

from rich.console import Console
from rich.table import Table

from benchmarks.places import REPOSITORY
from serve_app.config.policy import FilterPolicy
from serve_app.core.screening import Tail, Texts
from serve_app.deployments import interpreter
from serve_app.filters.chain import FilterStage
from serve_app.filters.pii.finder import PiiFinder
from serve_app.filters.secrets.finder import SecretsFinder

TEXTS = 1000
ROUNDS = 7
RULES: dict[str, dict[str, object]] = {
    "injection": {"kind": "injection"},
    "words (2 shipped lists)": {"kind": "words"},
    "pii": {"kind": "pii"},
    "secrets": {"kind": "secrets"},
    "regex": {"kind": "regex", "pattern": r"\bproject-(?:kestrel|heron)\b"},
}
OFF = {"injection": "off", "output_pii": "off"}
SHIPPED = [{"name": "en", "file": "words/en.txt"}, {"name": "zh", "file": "words/zh.txt"}]
_ENGLISH = (
    "The report says that sales of the northern region grew by a third last year, while costs "
    "stayed where they were; the board will look at the plan for new shops on Monday. "
)
_CHINESE = (
    "报告说北方地区的销售额去年增长了三分之一，而成本保持不变；董事会将在周一讨论开设新店的计划。"
)
_JSON = (
    json.dumps({"id": 4711, "name": "shop", "open": True, "tags": ["a", "b"], "sum": 12.5}) + "\n"
)


def _kilobyte(text: str) -> str:
    repeated = text * (1024 // len(text.encode()) + 1)
    return repeated.encode()[:1024].decode("utf-8", "ignore")


SAMPLES = {name: _kilobyte(text) for name, text in
           (("English", _ENGLISH), ("Chinese", _CHINESE), ("JSON", _JSON))}  # fmt: skip


def found() -> Table:
    """Recall and precision by kind."""
    sys.path[:0] = [str(REPOSITORY / "tests" / part)
                    for part in (".", "filters/pii", "filters/secrets")]  # fmt: skip
    import pii_formats  # type: ignore[import-not-found]
    import secret_formats  # type: ignore[import-not-found]
    from labelled import labelled, score  # type: ignore[import-not-found]

    table = Table("kind", "recall", "precision", title=f"{2 * TEXTS} generated texts a kind")
    for formats, finder in (
        (pii_formats, lambda kind: PiiFinder([kind])),
        (secret_formats, lambda _: SecretsFinder()),
    ):
        for kind, source in formats.SOURCES.items():
            result = score(finder(kind), labelled(source, TEXTS, seed=11))
            table.add_row(kind, f"{result.recall:.1%}", f"{result.precision:.1%}")
    return table


def _policy(rule: dict[str, object], where: str) -> FilterPolicy:
    rules: list[dict[str, object]]
    if rule["kind"] == "words":
        rules = [{"name": w["name"], "kind": "words", "file": w["file"], "where": [where]}
                 for w in SHIPPED]  # fmt: skip
    else:
        rules = [{"name": "rule", "where": [where], **rule}]
    return FilterPolicy.model_validate({**OFF, "rules": rules})


def _default(_: str) -> FilterPolicy:
    return FilterPolicy.model_validate({"words": SHIPPED})


def _best_us(call: Callable[[int], object]) -> float:
    best = float("inf")
    for number in range(ROUNDS):
        began = time.perf_counter()
        call(number)
        best = min(best, time.perf_counter() - began)
    return best * 1e6


def whole_us(policy: FilterPolicy, text: str) -> float:
    """Of one text of a user that was never seen before."""
    stage = FilterStage(policy, {})
    loop = asyncio.new_event_loop()

    def judge(number: int) -> None:
        texts = Texts((f"{number} {text}",), ("input",), "t", "/v1/chat/completions")
        loop.run_until_complete(stage.check_input([texts]))

    best = _best_us(judge)
    loop.close()
    return best


def pieces_us(policy: FilterPolicy, text: str) -> float:
    """Of one piece of an answer that comes four characters at a time."""
    stage = FilterStage(policy, {})
    loop = asyncio.new_event_loop()
    pieces = [text[i : i + 4] for i in range(0, len(text), 4)]

    async def play() -> None:
        held = None
        for number, piece in enumerate(pieces):
            final = number == len(pieces) - 1
            tail = Tail(held, piece, final, "t", "output", "/v1/chat/completions")
            [released] = await stage.check_output([tail])
            held = released.held

    best = _best_us(lambda _: loop.run_until_complete(play()))
    loop.close()
    return best / len(pieces)


def cost() -> Table:
    """Microseconds by rule."""
    table = Table("rule", *(f"us / kB, {name}" for name in SAMPLES), "us / piece of 4, English",
                  title="cost")  # fmt: skip
    makers: dict[str, Callable[[str], FilterPolicy]] = {"default rules": _default}
    for name, rule in RULES.items():
        makers[name] = lambda where, rule=rule: _policy(rule, where)  # type: ignore[misc]
    for name, make in makers.items():
        wholes = [whole_us(make("input"), text) for text in SAMPLES.values()]
        pieces = (
            "-" if name == "injection" else f"{pieces_us(make('output'), SAMPLES['English']):.1f}"
        )
        table.add_row(name, *(f"{us:.0f}" for us in wholes), pieces)
    return table


def loop_ms() -> str:
    """How long the event loop stands still while 100 kB are judged."""
    stage = FilterStage(_default(""), {})
    rng = Random(5)
    words = [_ENGLISH, _CHINESE, _JSON]
    text = "".join(rng.choice(words) for _ in range(100_000 // 100))[:100_000]

    async def watched() -> float:
        longest, last = 0.0, time.perf_counter()
        judging = asyncio.ensure_future(
            stage.check_input([Texts((text,), ("input",), "t", "/v1/chat/completions")])
        )
        while not judging.done():
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        return longest * 1000

    return (
        f"100 kB: the loop stands still for {min(asyncio.run(watched()) for _ in range(5)):.2f} ms"
    )


def main() -> None:
    """Print the tables."""
    interpreter.calm()  # as in a replica
    console = Console()
    console.print(found())
    console.print(cost())
    console.print(loop_ms())


if __name__ == "__main__":
    main()
