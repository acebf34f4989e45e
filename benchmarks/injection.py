"""How well the injection rules tell attacks from harmless look-alikes: a table by family.

`python -m benchmarks.injection` reads the labelled texts in `data/`. The signals were tuned on
the half marked `tune` only; the other half, `held`, says what they are worth.
`--corpora FOLDER` adds texts of public packages that were unpacked there (see `corpora.py`);
nothing was tuned on them.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.corpora import corpora
from serve_app.config.policy import Where
from serve_app.filters.injection import Detector
from serve_app.filters.normalize import fold

DATA = Path(__file__).with_name("data")
THRESHOLD = 1.0


class Sample(NamedTuple):
    """A labelled text and where in a request it stood."""

    text: str
    is_attack: bool
    family: str
    where: Where
    split: str


class Tally(NamedTuple):
    """Texts that reached the threshold, of how many."""

    hits: int
    of: int

    @property
    def share(self) -> float:
        return self.hits / self.of


def samples(language: str) -> list[Sample]:
    """The labelled texts of `language` ("en" or "zh")."""
    lines = (DATA / f"injection_{language}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = (json.loads(line) for line in lines)
    return [
        Sample(r["text"], r["label"] == "attack", r["family"], r["where"], r["split"]) for r in rows
    ]


def tally(detector: Detector, texts: Iterable[tuple[str, Where]]) -> Tally:
    """How many of `texts`, each with its `where`, reach the threshold."""
    hits = [detector.score(t, fold(t), where).total >= THRESHOLD for t, where in texts]
    return Tally(sum(hits), len(hits))


def by_family(detector: Detector, items: Iterable[Sample]) -> dict[tuple[str, str], Tally]:
    """Tallies by label and family, with `all` of each label at the end."""
    groups: dict[tuple[str, str], list[tuple[str, Where]]] = defaultdict(list)
    for item in items:
        label = "attack" if item.is_attack else "harmless"
        groups[label, item.family].append((item.text, item.where))
        groups[label, "~all"].append((item.text, item.where))
    return {key: tally(detector, texts) for key, texts in sorted(groups.items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=["tune", "held"], default="held")
    parser.add_argument("--corpora", type=Path, help="Folder with unpacked public packages.")
    arguments = parser.parse_args()
    detector = Detector()
    print("| language | label | family | reach the threshold |\n|---|---|---|---|")
    for language in ("en", "zh"):
        items = [item for item in samples(language) if item.split == arguments.split]
        for (label, family), found in by_family(detector, items).items():
            print(
                f"| {language} | {label} | {family} | {found.hits}/{found.of} {found.share:.0%} |"
            )
    if arguments.corpora:
        print("\n| corpus | label | reach the threshold |\n|---|---|---|")
        for corpus in corpora(arguments.corpora):
            found = tally(detector, [(text, corpus.where) for text in corpus.texts])
            print(f"| {corpus.name} | {corpus.label} | {found.hits}/{found.of} {found.share:.0%} |")


if __name__ == "__main__":
    main()
