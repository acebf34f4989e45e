"""Numbers of a query: what is in bounds, however it is written, and nothing else."""

from __future__ import annotations

import pytest

from serve_app.core.errors import BadRequest
from serve_app.wire.checks import whole_number
from serve_app.wire.usage import decode_usage


@pytest.mark.parametrize("text", ["1", "90", "0090", "0" * 9000 + "7"])
def test_a_number_in_bounds(text: str) -> None:
    assert whole_number(text, "days", 90) == int(text.lstrip("0"))


@pytest.mark.parametrize(
    "text",
    ["", "0", "000", "91", "00901234567", "9" * 9000, "-1", "+1", "1.0", "1e1", "1_0", " 1",
     "²", "١"],
)  # fmt: skip
def test_a_number_out_of_bounds_or_none(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        whole_number(text, "days", 90)
    assert refused.value.param == "days"


@pytest.mark.parametrize("query", [b"&".join([b"days=1"] * 20), b"tenant=%ff", b"tenant=\xff"])
def test_a_query_that_cannot_be_read(query: bytes) -> None:
    with pytest.raises(BadRequest):
        decode_usage(query)
