"""What vLLM is told, and what is made of what it says."""

from __future__ import annotations

import pytest
from batch_world import order

from serve_app.batch import engines
from serve_app.batch.order import Order
from serve_app.batch.results import Result

HERE = "in.jsonl", "out.jsonl"


def ordered(**fields: object) -> Order:
    return order(*HERE, via="vllm", **{"model": "embedded", "device": "cpu"} | fields)  # type: ignore[arg-type]


def test_on_a_cpu_nothing_is_reserved_that_could_be_missing() -> None:
    plan = engines.plan(ordered(concurrency=16), cluster_gpus=0)
    assert plan.config["placement_group_config"] == {"bundles": [{"CPU": 0.01}]}
    assert plan.config["engine_kwargs"]["max_num_seqs"] == 16
    assert plan.config["engine_kwargs"]["max_model_len"] == 2048
    assert plan.config["runtime_env"]["env_vars"]["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"


def test_on_a_gpu_ray_reserves_one_for_each_engine() -> None:
    plan = engines.plan(ordered(device="gpu", engines=2, model="org/model"), cluster_gpus=2)
    assert "placement_group_config" not in plan.config
    assert plan.config["concurrency"] == 2
    assert plan.config["model_source"] == "org/model"
    assert "max_model_len" not in plan.config["engine_kwargs"]


@pytest.mark.parametrize("at_once", [1, 3, 16, 256, 1024])
def test_the_engine_is_always_offered_more_than_it_can_run(at_once: int) -> None:
    config = engines.plan(ordered(concurrency=at_once), cluster_gpus=0).config
    assert config["batch_size"] * config["max_concurrent_batches"] > at_once


def test_what_was_asked_for_wins() -> None:
    wanted = ordered(
        engine={"dtype": "float32"}, params={"top_p": 0.5}, max_tokens=9, temperature=1.0
    )
    plan = engines.plan(wanted, cluster_gpus=0)
    assert plan.config["engine_kwargs"]["dtype"] == "float32"
    assert plan.sampling == {"temperature": 1.0, "max_tokens": 9, "top_p": 0.5}


def test_rows_become_results_and_failures_errors() -> None:
    good = {
        "row": 1, "response": "hi", "prompt_tokens": 3, "completion_tokens": 2, "took_s": 0.5,
        "ended": 10.0, "__inference_error__": "",
    }  # fmt: skip
    bad = {"row": 2, "__inference_error__": "ValueError: prompt too long"}
    made = engines.report([good, good | {"completion_tokens": 4}, bad], 4).results
    assert made[0] == Result(
        1, response="hi", finish_reason="stop", prompt_tokens=3, completion_tokens=2,
        began=9.5, ended=10.0,
    )  # fmt: skip
    assert made[1].finish_reason == "length"
    assert made[2] == Result(2, kind="ValueError", message="prompt too long")
