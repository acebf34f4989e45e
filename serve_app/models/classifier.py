"""A Hugging Face model that classifies texts: texts in, scores by label out, window by window.

The only place where it is loaded and run; nothing here waits or knows of requests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as words_of_transformers

Device = Literal["cpu", "gpu"]

Window = list[int]
"""Numbers of tokens, with those that the model wants at both ends."""

_OVERLAP = 4
"""Neighbours share a quarter of a window, so that what is shorter stands in one of them whole."""


class TextClassifier:
    """One model on one device. Its methods compute: call them in a thread.

    Args:
        path: a folder, or a name at the hub (not asked where HF_HUB_OFFLINE is set).
        window_tokens: longest part of a text that is looked at in one piece; less where the
            model takes less.
        threads: CPU cores to compute with.

    Raises:
        OSError, ValueError: there is no such model, or it cannot be used; says why.
    """

    def __init__(self, path: str, device: Device, window_tokens: int, threads: int) -> None:
        words_of_transformers.disable_progress_bar()
        torch.set_num_threads(threads)
        is_here = Path(path).is_dir()
        self._device = torch.device("cuda" if device == "gpu" else "cpu")
        # What was saved in 16 bits is slow on a CPU, where some operations have no such form.
        dtype = "auto" if device == "gpu" else torch.float32
        model = AutoModelForSequenceClassification.from_pretrained(
            path, dtype=dtype, local_files_only=is_here
        )
        self._model = model.to(self._device).eval()
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=is_here)
        self._pad = _padding(tokenizer, path)
        self.window_tokens = _fitting(window_tokens, tokenizer, model.config)
        self._cut = _cutting(tokenizer, path, self.window_tokens)
        self._is_many = _is_many(model.config)
        names = model.config.id2label
        self.labels = [str(names[at]) for at in sorted(names)]
        self._try_longest(path)

    def windows(self, text: str) -> list[Window]:
        """The text in overlapping windows; one for a text that fits, an empty one too."""
        first = self._cut.encode(text)
        return [first.ids, *(rest.ids for rest in first.overflowing)]

    def scores(self, windows: list[Window]) -> list[list[float]]:
        """Of each window its scores, 0 to 1, in the order of `labels`.

        Raises:
            ArithmeticError: the model computes nothing that is a number.
        """
        scores: list[list[float]] = [[] for _ in windows]
        for places in _alike(windows):
            found = self._run([windows[at] for at in places])
            for at, one in zip(places, found, strict=True):
                scores[at] = one
        return scores

    def _run(self, windows: list[Window]) -> list[list[float]]:
        with torch.inference_mode():
            return self._computed(windows)

    def _computed(self, windows: list[Window]) -> list[list[float]]:
        longest = max(map(len, windows))
        padded = [[*window, *[self._pad] * (longest - len(window))] for window in windows]
        mask = [[1] * len(window) + [0] * (longest - len(window)) for window in windows]
        logits = self._model(
            input_ids=torch.tensor(padded, device=self._device),
            attention_mask=torch.tensor(mask, device=self._device),
        ).logits.float()
        if not torch.isfinite(logits).all():
            raise ArithmeticError("the classifier computes infinite scores")
        scores = logits.sigmoid() if self._is_many else logits.softmax(dim=-1)
        found: list[list[float]] = scores.tolist()
        return found

    def _try_longest(self, path: str) -> None:
        """A window that the model has no positions for is found now, not by the first long text."""
        [longest, *_] = self.windows("a " * (self.window_tokens * 2))
        try:
            self.scores([longest])
        except (IndexError, RuntimeError) as error:
            raise ValueError(
                f"{path}: windows of {self.window_tokens} tokens do not fit the model; set "
                f"window_tokens lower ({type(error).__name__})"
            ) from error


def _alike(windows: list[Window]) -> list[list[int]]:
    """Places of windows in groups of like length: the shortest of a group is more than half as
    long as the longest, so that little of the work is padding."""
    groups: dict[int, list[int]] = {}
    for at, window in enumerate(windows):
        groups.setdefault(max(len(window), 16).bit_length(), []).append(at)
    return list(groups.values())


def _padding(tokenizer: Any, path: str) -> int:
    pad = getattr(tokenizer, "pad_token_id", None)
    if not isinstance(pad, int):
        raise ValueError(f"{path}: its tokenizer has no padding token, so texts cannot be batched")
    return pad


def _fitting(wanted: int, tokenizer: Any, config: Any) -> int:
    """The longest window that model and tokenizer say they take, up to the one wanted."""
    limits = (
        getattr(tokenizer, "model_max_length", None),
        getattr(config, "max_position_embeddings", None),
    )
    return min([wanted, *(int(limit) for limit in limits if limit)])


def _cutting(tokenizer: Any, path: str, window_tokens: int) -> Tokenizer:
    """The tokenizer's quick core, set once: changing it while threads use it is an error."""
    core = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(core, Tokenizer):
        raise ValueError(f"{path}: it has no tokenizer.json, which windows are cut with")
    core.no_padding()
    core.enable_truncation(window_tokens, stride=window_tokens // _OVERLAP)
    return core


def _is_many(config: Any) -> bool:
    """Whether labels are judged one by one, and not against each other."""
    kind = getattr(config, "problem_type", None)
    return kind == "multi_label_classification" or getattr(config, "num_labels", 2) == 1
