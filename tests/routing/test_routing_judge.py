from __future__ import annotations

from routing.plans import EASY, HARD, MIDDLING, Desk, query, tiered

from serve_app.core.errors import Overloaded

LEARNED = tiered(learned={"file": "model.json"})


class WordJudge:
    """A judge that learned one thing: what mentions a word is hard."""

    threshold = 0.5

    def __init__(self, word: str) -> None:
        self._word = word
        self.asked: list[list[str]] = []

    async def judge(self, texts: list[str]) -> list[float]:
        self.asked.append(texts)
        return [0.9 if self._word in text else 0.1 for text in texts]


class Absent:
    """A judge that cannot tell now."""

    threshold = 0.5

    async def judge(self, texts: list[str]) -> list[float]:
        raise Overloaded("the embedder is away")


async def test_what_was_learned_decides_about_the_strong_tier() -> None:
    desk = Desk(LEARNED, judge=WordJudge("colour"))
    easy, hard = await desk.stage.plan([query(text=EASY), query(text=HARD)])
    assert (easy.tier, easy.need) == ("strong", 0.9)
    assert easy.candidates[0].reason.startswith("strong tier: learned need 0.90, at least 0.50")
    assert (hard.tier, hard.need) == ("default", 0.1)
    assert hard.signals["proof"] > 0
    assert "learned need 0.10, below 0.50" in hard.candidates[0].reason


async def test_below_the_strong_tier_the_rule_decides() -> None:
    desk = Desk(LEARNED, judge=WordJudge("nothing"))
    plans = await desk.stage.plan([query(text=EASY), query(text=MIDDLING)])
    assert [plan.tier for plan in plans] == ["cheap", "default"]


async def test_only_texts_of_requests_to_auto_are_judged_all_at_once() -> None:
    judge = WordJudge("colour")
    desk = Desk(LEARNED, judge=judge)
    batch = [query("mini", text="a"), query(text="b"), query("none", text="c"), query("any", "d")]
    await desk.stage.plan([*batch, query(text="e", endpoint="embeddings")])
    assert judge.asked == [["b", "d"]]
    await desk.stage.plan(batch[:1])
    assert len(judge.asked) == 1


async def test_while_the_judge_cannot_tell_the_rule_decides() -> None:
    desk = Desk(LEARNED, judge=Absent())
    easy, hard = await desk.stage.plan([query(text=EASY), query(text=HARD)])
    assert (easy.tier, hard.tier) == ("cheap", "strong")
    assert "learned" not in hard.candidates[0].reason


async def test_a_judge_is_asked_only_if_the_policy_wants_it() -> None:
    judge = WordJudge("colour")
    assert (await Desk(judge=judge).plan(query(text=EASY))).tier == "cheap"
    assert judge.asked == []


async def test_a_judge_may_come_later() -> None:
    desk = Desk(LEARNED)
    assert (await desk.plan(query(text=EASY))).tier == "cheap"
    desk.stage.judge = WordJudge("colour")
    assert (await desk.plan(query(text=EASY))).tier == "strong"
