"""Labelled examples for tests: a few real ones, and as many as wanted with something to learn."""

from __future__ import annotations

import json
import random
from pathlib import Path

from serve_app.routing.learned.labels import Example, Labels

REAL = Path(__file__).parents[1] / "data" / "router_labels.jsonl"
"""240 of RouteLLM's; see the README beside it."""

_SUBJECTS = ("harbour", "orchard", "library", "engine", "valley", "painter", "market", "river")
_HARD = ("zephyr", "quasar", "kestrel", "obelisk")
"""Words that say nothing to the scored rule."""
_EASY = ("colour", "holiday", "breakfast", "garden")


def learnable(count: int, seed: int = 0) -> Labels:
    """Short prompts with a hard word or an easy one; the weak model fails at most hard ones."""
    draw = random.Random(seed)
    return Labels([_example(draw) for _ in range(count)], "0" * 64)


def _example(draw: random.Random) -> Example:
    is_hard = draw.random() < 0.4
    words = [draw.choice(_SUBJECTS) for _ in range(draw.randint(3, 12))]
    words.insert(draw.randrange(len(words)), draw.choice(_HARD if is_hard else _EASY))
    prompt = f"{' '.join(words)} {draw.randrange(10**6)}?"
    weak = draw.random() < (0.2 if is_hard else 0.9)
    return Example(prompt, weak, draw.random() < 0.95)


def written(labels: Labels, path: Path) -> Path:
    """The examples as a file."""
    rows = (
        {
            "prompt": example.prompt,
            "weak_correct": example.weak_correct,
            "strong_correct": example.strong_correct,
        }
        for example in labels.examples
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
