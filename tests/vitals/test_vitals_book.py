from __future__ import annotations

from serve_app.core.clock import FakeClock
from serve_app.vitals.book import Vitals


def test_each_model_of_a_backend_has_vitals_of_its_own() -> None:
    vitals = Vitals(FakeClock())
    assert vitals.of("a", "m") is vitals.of("a", "m")
    assert vitals.of("a", "m") is not vitals.of("a", "n")
