"""Recall and precision of every kind of secret on generated texts."""

from __future__ import annotations

import pytest
from labelled import labelled, score
from secret_formats import SOURCES

from serve_app.filters.secrets import KINDS, SecretsFinder


@pytest.fixture(scope="module")
def finder() -> SecretsFinder:
    return SecretsFinder()


def test_tables_are_of_kinds_that_there_are() -> None:
    assert SOURCES.keys() <= set(KINDS)


@pytest.mark.parametrize("kind", SOURCES)
def test_recall_and_precision(kind: str, finder: SecretsFinder) -> None:
    result = score(finder, labelled(SOURCES[kind], 500, seed=1))
    assert result.recall >= 0.98
    assert result.precision >= 0.98
