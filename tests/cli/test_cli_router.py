"""`serve-app router` as a user runs it."""

from __future__ import annotations

import gzip
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from cli_world import Command
from routing.learned_examples import REAL, learnable, written

LIMIT_S = 60


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return written(learnable(400), tmp_path / "labels.jsonl")


def test_train_then_eval_shows_the_learned_router_above_the_rule(
    command: Command, labels: Path, tmp_path: Path
) -> None:
    trained = command.run("router", "train", str(labels), limit_s=LIMIT_S)
    assert trained.returncode == 0, trained.stderr
    assert (command.folder / "router.npz").exists()
    assert str(command.folder / "router.npz") in trained.stdout

    fresh = written(learnable(400, seed=1), tmp_path / "fresh.jsonl")
    ran = command.run("router", "eval", str(fresh), "--json", limit_s=LIMIT_S)
    found = json.loads(ran.stdout)
    assert (found["router"], found["examples"], found["trained_on"]) == ("learned", 400, 0)
    assert found["points"] == found["learned"]["points"]
    assert found["area"] == found["learned"]["area"] > found["rule"]["area"]
    shares = [point["strong_share"] for point in found["points"]]
    assert shares == [percent / 100 for percent in range(101)]
    assert found["points"][0]["accuracy"] == pytest.approx(found["weak_accuracy"])
    assert found["points"][-1]["accuracy"] == pytest.approx(found["strong_accuracy"])


def test_on_its_own_examples_the_figures_are_those_held_back_and_it_says_so(
    command: Command, labels: Path, tmp_path: Path
) -> None:
    out = tmp_path / "own.npz"
    ran = command.run("router", "train", str(labels), "--out", str(out), "--json", limit_s=LIMIT_S)
    trained = json.loads(ran.stdout)
    assert trained["file"] == str(out)
    ran = command.run("router", "eval", str(labels), "--model", str(out), limit_s=LIMIT_S)
    assert "THE ROUTER WAS TRAINED ON" in ran.stdout
    assert f"learned {trained['held_back_area']:.3f}" in ran.stdout


def test_without_a_model_the_rule_is_evaluated_on_real_examples(command: Command) -> None:
    ran = command.run("router", "eval", str(REAL), "--json", limit_s=LIMIT_S)
    found = json.loads(ran.stdout)
    assert (found["router"], found["learned"], found["model"]) == ("rule", None, None)
    assert found["points"] == found["rule"]["points"]
    assert found["area"] == found["rule"]["area"]
    assert found["strong_accuracy"] > found["weak_accuracy"]


def test_a_table_and_pictures_are_drawn(command: Command, tmp_path: Path) -> None:
    svg = tmp_path / "curve.svg"
    ran = command.run("router", "eval", str(REAL), "--svg", str(svg), limit_s=LIMIT_S)
    assert ran.returncode == 0, ran.stderr
    assert all(word in ran.stdout for word in ("strong share", "random", "oracle", "100%", "ooo"))
    drawn = ElementTree.parse(svg).getroot()
    assert len(drawn.findall("{*}polyline")) == 3


def test_a_gzipped_file_is_read(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl.gz"
    path.write_bytes(gzip.compress(REAL.read_bytes()))
    ran = command.run("router", "eval", str(path), "--json", limit_s=LIMIT_S)
    assert json.loads(ran.stdout)["examples"] == 240


def test_a_bad_line_is_named_with_its_field(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"prompt": "x", "weak_correct": "yes", "strong_correct": true}\n')
    for name in ("train", "eval"):
        ran = command.run("router", name, str(path), limit_s=LIMIT_S)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr.startswith(f"{path}:1: ")
        assert "weak_correct" in ran.stderr
        assert len(ran.stderr.splitlines()) == 1


def test_what_is_no_model_and_what_cannot_be_written_is_named(
    command: Command, labels: Path, tmp_path: Path
) -> None:
    ran = command.run("router", "eval", str(REAL), "--model", str(labels), limit_s=LIMIT_S)
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"{labels}: cannot be used as a trained router")
    target = labels / "router.npz"
    ran = command.run("router", "train", str(labels), "--out", str(target), limit_s=LIMIT_S)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"{target}: cannot be written")
    assert "Traceback" not in ran.stderr


def test_help_has_examples(command: Command) -> None:
    for name in ("train", "eval"):
        shown = command.run("router", name, "--help", limit_s=LIMIT_S).stdout
        assert f"serve-app router {name} labelled.jsonl" in shown
