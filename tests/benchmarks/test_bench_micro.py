from __future__ import annotations

import pytest

from benchmarks import micro


async def test_each_stage_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(micro, "ROUND_S", 0.001)
    cases = await micro.cases()
    assert {case.stage for case in cases} >= {"cache", "filter", "router", "wire", "backends"}
    for case in cases:
        assert await micro.micros(case, rounds=1) > 0
