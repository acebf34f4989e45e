"""The file of a trained model: a NumPy archive without pickle, its record as JSON inside."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from serve_app.core.errors import PolicyRejected
from serve_app.routing.learned.forest import LEAVES, SPLITS, Forest
from serve_app.routing.learned.form import FORM
from serve_app.routing.learned.marks import VERSION
from serve_app.routing.learned.model import FORMAT, SHARES, About, HeldBack, Model
from serve_app.routing.learned.ridge import WordWeights
from serve_app.routing.learned.scorer import Calibration, Gain, Scorer
from serve_app.routing.learned.words import BUCKETS

_LARGEST: Final = 256 * 1024 * 1024
"""Bytes, also unpacked; 7,754 examples make 150 kB."""

_Arrays = Mapping[str, NDArray[Any]]


class Stored(NamedTuple):
    """A model as it was found."""

    model: Model
    digest: str
    """SHA-256 of the file, in hex: another one means another model."""


def save(model: Model, path: Path) -> None:
    """Write a model; an older one is replaced in one step. The same model makes the same bytes.

    Raises:
        OSError: it could not be written; an older one is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **_arrays(model))
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def load(path: Path) -> Stored:
    """Read a model.

    Raises:
        PolicyRejected: there is none, or it does not fit this version; names the file and why.
    """
    raw = _bytes(path)
    try:
        model = _model(_unpacked(raw))
    except (ValueError, TypeError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise PolicyRejected(f"{path}: cannot be used as a trained router: {error}") from error
    return Stored(model, hashlib.sha256(raw).hexdigest())


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise PolicyRejected(f"{path}: larger than {_LARGEST} bytes")
        return path.read_bytes()
    except OSError as error:
        raise PolicyRejected(f"{path}: cannot be read: {error.strerror}") from error


def _unpacked(raw: bytes) -> _Arrays:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
            raise ValueError(f"more than {_LARGEST} bytes when unpacked")
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _arrays(model: Model) -> dict[str, NDArray[Any]]:
    (words, forest), calibration = model.scorer
    return {
        "about": np.frombuffer(msgspec.json.encode(model.about), np.uint8),
        "weights": words.weights,
        "features": forest.features,
        "cuts": forest.cuts,
        "leaves": forest.leaves,
        "curve": np.array([words.constant, *calibration]),
        "quantiles": model.quantiles,
        "held_back_ids": model.held_back.ids,
        "held_back_scores": model.held_back.scores,
    }


def _model(arrays: _Arrays) -> Model:
    about = _about(arrays)
    trees, count = len(arrays["leaves"]), len(arrays["held_back_ids"])
    weights = _floats(arrays, "weights", (BUCKETS,))
    features = _array(arrays, "features", (trees, SPLITS), np.int64)
    if features.min(initial=0) < 0 or features.max(initial=0) >= len(FORM):
        raise ValueError("`features` names what a text has not")
    cuts = _floats(arrays, "cuts", (trees, SPLITS), endless=True)
    forest = Forest(features, cuts, _floats(arrays, "leaves", (trees, LEAVES)))
    constant, slope, offset = _floats(arrays, "curve", (3,)).tolist()
    gain = Gain(WordWeights(weights, constant), forest)
    ids = _array(arrays, "held_back_ids", (count,), np.uint64)
    held_back = HeldBack(ids, _floats(arrays, "held_back_scores", (count,)))
    quantiles = _floats(arrays, "quantiles", SHARES.shape)
    if not count or (np.diff(quantiles) < 0).any() or (ids[1:] <= ids[:-1]).any():
        raise ValueError("`quantiles` or `held_back_ids` do not rise")
    return Model(Scorer(gain, Calibration(slope, offset)), quantiles, held_back, about)


def _about(arrays: _Arrays) -> About:
    about = msgspec.json.decode(arrays["about"].tobytes(), type=About)
    if (about.format, about.features) != (FORMAT, VERSION):
        raise ValueError(
            f"it has format {about.format} and features {about.features}, but this version reads "
            f"{FORMAT} and {VERSION}: train it again (serve-app router train)"
        )
    return about


def _floats(
    arrays: _Arrays, name: str, shape: tuple[int, ...], *, endless: bool = False
) -> NDArray[np.float64]:
    array = _array(arrays, name, shape, np.float64)
    if np.isnan(array).any() or not (endless or np.isfinite(array).all()):
        raise ValueError(f"`{name}` has what is not a number")
    return array


def _array(
    arrays: _Arrays, name: str, shape: tuple[int, ...], dtype: type[np.generic]
) -> NDArray[Any]:
    array = arrays[name]
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"`{name}` is {array.dtype} {array.shape}, not {np.dtype(dtype)} {shape}")
    return array
