"""Learn the weights of the semantic cache's judge from labelled pairs of questions.

    python -m benchmarks.judge            learn and write serve_app/cache/semantic/judge.json

The pairs in `benchmarks/data/questions_*.jsonl` were written for this, by the project. Weights
are found by logistic regression whose signs are fixed; what a value is worth
is measured by cross-validation, so that no pair vouches for itself.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from serve_app.cache.semantic.features import NAMES, features
from serve_app.cache.semantic.guards import forbidden
from serve_app.cache.semantic.judge import WEIGHTS, PairJudge
from serve_app.cache.semantic.minilm import minilm
from serve_app.cache.semantic.words import words_of

DATA = Path(__file__).resolve().parent / "data"
FILES = {"en": ("questions_en_a.jsonl", "questions_en_b.jsonl"), "zh": ("questions_zh.jsonl",)}

SIGNS = np.array([-1, -1, -1, -1, -1, -1, -1, -1, 1, -1, -1, -1, 1, 1, -1, -1, 1])
"""Which way each feature may count."""
TRAP_WEIGHT = 2.0
"""A wrong hit costs more than one that is missed."""
RIDGE = 0.3
STEPS = 4000
FOLDS = 5


class Fit(NamedTuple):
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: float

    def values(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(
            1.0 / (1.0 + np.exp(-((x - self.mean) / self.scale) @ self.weights - self.bias))
        )


class Seen(NamedTuple):
    """Pairs that no guard forbids, as features; `traps` and `rights` count all pairs."""

    x: np.ndarray
    y: np.ndarray


def pairs(language: str) -> Iterator[dict[str, Any]]:
    for name in FILES[language]:
        for line in (DATA / name).read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


async def see(language: str) -> Seen:
    """Features of all pairs that pass the guards."""
    judge, embedder = PairJudge(), minilm()
    rows, labels = [], []
    for pair in pairs(language):
        cosine = 0.0
        if language == "en":
            a, b = await embedder.embed([pair["a"], pair["b"]])
            cosine = float(a.vector @ b.vector)
        lexicon = judge.lexicon(language)
        one, other, found = judge.paired(
            pair["a"], pair["b"], words_of(pair["a"]), words_of(pair["b"]), lexicon
        )
        if not forbidden(one, other, found, lexicon):
            rows.append(features(one, other, found, cosine, judge.vocabulary))
            labels.append(pair["same_answer"])
    await embedder.close()
    return Seen(np.array(rows), np.array(labels, dtype=np.float64))


def fit(seen: Seen) -> Fit:
    """Logistic regression by accelerated projected gradient (Beck and Teboulle 2009)."""
    mean, scale = seen.x.mean(axis=0), seen.x.std(axis=0) + 1e-6
    z = np.c_[(seen.x - mean) / scale, np.ones(len(seen.x))]
    sign = np.r_[SIGNS, 0]
    weight = np.where(seen.y == 1, 1.0, TRAP_WEIGHT)
    step = 1.0 / (np.linalg.eigvalsh((z * weight[:, None]).T @ z).max() / 4 + RIDGE)
    found = ahead = np.zeros(z.shape[1])
    momentum = 1.0
    for _ in range(STEPS):
        error = 1.0 / (1.0 + np.exp(-z @ ahead)) - seen.y
        gradient = z.T @ (weight * error) + RIDGE * np.r_[ahead[:-1], 0.0]
        new = ahead - step * gradient
        new = np.where(sign > 0, np.maximum(new, 0), np.where(sign < 0, np.minimum(new, 0), new))
        grown = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / grown * (new - found)
        found, momentum = new, grown
    return Fit(mean, scale, found[:-1], float(found[-1]))


def held_out(seen: Seen) -> np.ndarray:
    """The value of each pair by a fit that had not seen it."""
    values = np.zeros(len(seen.y))
    fold = np.arange(len(seen.y)) % FOLDS
    for number in range(FOLDS):
        trained = fit(Seen(seen.x[fold != number], seen.y[fold != number]))
        values[fold == number] = trained.values(seen.x[fold == number])
    return values


def curve(values: np.ndarray, labels: np.ndarray) -> dict[str, list[float]]:
    """From a value to the share of right pairs among those at it or above.

    Half a wrong one is added (Krichevsky and Trofimov), so that few pairs promise little.
    """
    points = [0.0, *np.round(np.quantile(values, np.linspace(0.02, 0.98, 25)), 4).tolist(), 1.0]
    points = sorted(set(points))
    shares = []
    for point in points:
        above = values >= min(point, float(np.quantile(values, 0.9)))
        wrong = float((labels[above] == 0).sum())
        shares.append(1.0 - (wrong + 0.5) / (above.sum() + 1.0))
    return {"value": points, "score": np.round(np.maximum.accumulate(shares), 5).tolist()}


async def main() -> None:
    english = await see("en")
    chinese = await see("zh")
    found = fit(english)
    values, held = found.values(chinese.x), held_out(english)
    # Of Chinese there are few pairs; words are paired and forbidden by the same code, so that what
    # a value is worth is taken from both.
    both = curve(np.r_[held, values], np.r_[english.y, chinese.y])
    curves = {"en": curve(held, english.y), "zh": both, "other": both}
    stored = {
        "features": NAMES,
        "mean": np.round(found.mean, 6).tolist(),
        "scale": np.round(found.scale, 6).tolist(),
        "weights": np.round(found.weights, 6).tolist(),
        "bias": round(found.bias, 6),
        "curves": curves,
    }
    WEIGHTS.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    for language, seen in (("en", english), ("zh", chinese)):
        print(
            f"{language}: {len(seen.y)} pairs passed the guards, {int((seen.y == 0).sum())} traps"
        )


if __name__ == "__main__":
    asyncio.run(main())
