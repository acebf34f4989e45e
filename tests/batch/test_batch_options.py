"""The command line: what it means, that it can be said again, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from serve_app.batch import options
from serve_app.batch.failure import USAGE, BatchFailed
from serve_app.batch.order import Order, errors_of, fingerprint

PLAIN = ["in.jsonl", "-o", "out.jsonl"]


def parsed(*words: str, **environ: str) -> Order:
    return options.order_of(options.parser().parse_args(["run", *words]), environ)


def test_everything_that_can_be_ordered_survives_being_written_as_a_command_line() -> None:
    order = Order(
        input="-odd name.csv",
        output="s3://bucket/a b.parquet",
        prompt="-- {a}\n{b}",
        system="",
        model="smart",
        temperature=0.5,
        max_tokens=7,
        params={"stop": ["\n", "="], "top_p": 0.5, "text": "true"},
        prefix="llm_",
        limit=3,
        via="vllm",
        url="http://x:1",
        concurrency=9,
        timeout_s=1.5,
        patience_s=2.0,
        engines=2,
        device="cpu",
        engine={"dtype": "float32", "max_model_len": 512},
        max_errors="2.5%",
        part_rows=11,
        retry_errors=True,
        keep_parts=True,
        overwrite=True,
        show="json",
        ray="auto",
    )
    assert parsed(*options.arguments(order)) == order
    graph = Order(input="i.csv", output="o.csv", url="u", budget_micro_usd=1_250_000)
    assert parsed(*options.arguments(graph)) == graph


def test_the_address_is_the_options_or_the_environments_or_the_usual() -> None:
    assert parsed(*PLAIN).url == options.DEFAULT_URL
    assert parsed(*PLAIN, SERVE_APP_URL="http://there:1").url == "http://there:1"
    assert parsed(*PLAIN, "--url", "http://here:2", SERVE_APP_URL="http://there:1").url.endswith(
        "2"
    )


def test_parameters_are_json_or_text() -> None:
    order = parsed(*PLAIN, "--param", "top_p=0.5", "--param", "stop=end", "--param", "seed=1")
    assert order.params == {"top_p": 0.5, "stop": "end", "seed": 1}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--budget", "much"], "--budget"),
        (["--budget", "-1"], "--budget"),
        (["--budget", "1", "--via", "vllm", "--model", "m"], "--via graph"),
        (["--max-errors", "some"], "--max-errors"),
        (["--max-errors", "101%"], "--max-errors"),
        (["--max-errors", "-1"], "--max-errors"),
        (["--param", "top_p"], "NAME=VALUE"),
        (["--param", "stream=true"], "--param"),
        (["--engine", "dtype=float32"], "--via vllm"),
    ],
)
def test_what_does_not_go_together_is_refused(words: list[str], told: str) -> None:
    with pytest.raises(BatchFailed, match=told) as caught:
        parsed(*PLAIN, *words)
    assert caught.value.exit_code == USAGE


@pytest.mark.parametrize(
    ("cap", "rows", "allowed"), [("10", 5, 10), ("0", 5, 0), ("2%", 1000, 20), ("0.5%", 150, 0)]
)
def test_a_cap_on_errors_is_a_number_or_a_share_of_all_rows(
    cap: str, rows: int, allowed: int
) -> None:
    assert errors_of(cap, rows) == allowed


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "{b}"},
        {"model": "other"},
        {"temperature": 1.0},
        {"max_tokens": 5},
        {"params": {"seed": 2}},
        {"limit": 5},
        {"via": "vllm"},
        {"system": "be brief"},
    ],
)
def test_what_decides_answers_is_in_the_fingerprint(change: dict[str, Any]) -> None:
    base: dict[str, Any] = {"input": "i", "output": "o", "prompt": "{a}"}
    assert fingerprint(Order(**base).terms()) != fingerprint(Order(**(base | change)).terms())


def test_what_does_not_is_not_in_it() -> None:
    base: dict[str, Any] = {"input": "i", "output": "o", "prompt": "{a}"}
    other = {"url": "u", "concurrency": 3, "budget_micro_usd": 1, "max_errors": "5", "show": "bar"}
    assert fingerprint(Order(**base).terms()) == fingerprint(Order(**(base | other)).terms())
