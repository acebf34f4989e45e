"""Where a model may run in tests: on the CPU always, on a GPU where there is one."""

from __future__ import annotations

import pytest

from serve_app.cli.life import machine

on_gpu = pytest.mark.skipif(
    not machine.gpu().works or machine.vllm_kind() != "gpu",
    reason="needs an NVIDIA GPU and vLLM's build for it (the extra `gpu`)",
)
DEVICES = ["cpu", pytest.param("gpu", marks=on_gpu)]
