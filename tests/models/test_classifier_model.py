"""A classifier loaded and run: labels, windows, batches, and folders that cannot be used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from devices import DEVICES
from tiny_classifier import ATTACK, HARMLESS, LABELS, POSITIONS, make
from transformers import RobertaConfig, RobertaForSequenceClassification

from serve_app.models.classifier import Device, TextClassifier

pytestmark = pytest.mark.model


@pytest.fixture(scope="module", autouse=True)
def threads() -> Iterator[None]:
    """Other tests go on with as many threads as before."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("classifier")
    make(made)
    return made


def loaded(folder: Path, window_tokens: int = 512, device: Device = "cpu") -> TextClassifier:
    return TextClassifier(str(folder), device, window_tokens, threads=1)


@pytest.fixture(scope="module", params=DEVICES)
def model(folder: Path, request: pytest.FixtureRequest) -> TextClassifier:
    return loaded(folder, device=request.param)


def injection(model: TextClassifier, text: str) -> float:
    """The highest score of its windows."""
    at = model.labels.index("INJECTION")
    return max(scores[at] for scores in model.scores(model.windows(text)))


def changed(folder: Path, target: Path, file: str, **fields: object) -> Path:
    """A copy with other settings."""
    shutil.copytree(folder, target)
    path = target / file
    settings = {**json.loads(path.read_text(encoding="utf-8")), **fields}
    path.write_text(json.dumps(settings), encoding="utf-8")
    return target


def test_it_tells_an_attack_from_a_question_by_its_own_labels(model: TextClassifier) -> None:
    assert model.labels == LABELS
    assert injection(model, ATTACK) > 0.9
    assert injection(model, HARMLESS) < 0.1
    [scores] = model.scores(model.windows(ATTACK))
    assert sum(scores) == pytest.approx(1.0)


def test_windows_are_no_longer_than_the_model_takes(model: TextClassifier) -> None:
    assert model.window_tokens == POSITIONS
    windows = model.windows(f"{HARMLESS} " * 50)
    assert {len(window) for window in windows[:-1]} == {POSITIONS}
    assert len(windows[-1]) <= POSITIONS


def test_windows_overlap_by_a_quarter_and_leave_nothing_out(folder: Path) -> None:
    model = loaded(folder, 20)
    [whole] = loaded(folder, POSITIONS).windows(f"{HARMLESS} {ATTACK} {HARMLESS}")
    windows = [window[1:-1] for window in model.windows(f"{HARMLESS} {ATTACK} {HARMLESS}")]
    assert len(windows) > 2
    joined = windows[0]
    for window in windows[1:]:
        assert joined[-5:] == window[:5]
        joined = joined + window[5:]
    assert joined == whole[1:-1]


@pytest.mark.parametrize("before", [0, 7, 31, 60])
def test_an_attack_anywhere_in_a_long_text_is_seen(model: TextClassifier, before: int) -> None:
    around = f"{HARMLESS} "
    assert injection(model, around * before + ATTACK + around * (60 - before)) > 0.9
    assert injection(model, around * 60) < 0.1


def test_a_batch_scores_as_each_alone_whatever_its_lengths(model: TextClassifier) -> None:
    texts = [ATTACK, "", HARMLESS, f"{HARMLESS} {HARMLESS} {HARMLESS}", "Why?", ATTACK]
    windows = [window for text in texts for window in model.windows(text)]
    together = model.scores(windows)
    for window, scores in zip(windows, together, strict=True):
        assert model.scores([window])[0] == pytest.approx(scores, abs=1e-4)


def test_labels_that_do_not_exclude_each_other_have_scores_of_their_own(
    tmp_path: Path,
) -> None:
    make(tmp_path, many=True)
    model = loaded(tmp_path)
    assert injection(model, ATTACK) > 0.5 > injection(model, HARMLESS)
    [scores] = model.scores(model.windows(ATTACK))
    assert sum(scores) != pytest.approx(1.0, abs=1e-6)


def test_a_tokenizer_without_padding_is_refused(folder: Path, tmp_path: Path) -> None:
    bare = changed(folder, tmp_path / "m", "tokenizer_config.json", pad_token=None)
    with pytest.raises(ValueError, match="padding"):
        loaded(bare)


def test_a_window_that_the_model_has_no_positions_for_is_found_at_the_start(
    folder: Path, tmp_path: Path
) -> None:
    """RoBERTa keeps its first positions for itself, which its settings do not say."""
    boundless = changed(folder, tmp_path / "m", "tokenizer_config.json", model_max_length=10**6)
    config = RobertaConfig(
        vocab_size=500,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=POSITIONS,
        pad_token_id=0,
    )
    RobertaForSequenceClassification(config).save_pretrained(boundless)
    with pytest.raises(ValueError, match="set window_tokens lower"):
        loaded(boundless)
    assert loaded(boundless, POSITIONS - 2).window_tokens == POSITIONS - 2


def test_a_folder_without_a_model_says_so(tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError), match=r"config\.json"):
        loaded(tmp_path)
