"""`args` of the applications beside the gateway: local models and classifiers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from serve_app.config.section import Section


class ModelArgs(Section):
    """`args` of `serve_app.graph:build_model`: one local vLLM model."""

    model_id: str = Field(default="smollm2-135m-instruct", description="Name at the API.")
    path: str = Field(
        default="embedded",
        description="`embedded` (SmolLM2-135M-Instruct), a local folder, or a hub name.",
    )
    deployment: str = "LocalModel"
    task: Literal["chat", "embed"] = "chat"
    device: Literal["auto", "gpu", "cpu"] = "auto"
    context: int = Field(default=2048, gt=0)
    max_running: int = Field(default=8, gt=0, description="Sequences in one vLLM batch.")
    kv_cache_gib: float = Field(default=1.0, gt=0, description="KV cache on a CPU.")
    cpus: float = Field(default=0.5, ge=0, description="CPUs reserved in Ray for the engine.")
    gpu_memory: float = Field(default=0.85, gt=0, le=1, description="Share of the GPU's memory.")
    tensor_parallel: int = Field(default=1, gt=0)
    min_replicas: int = Field(default=1, ge=0)
    max_replicas: int = Field(default=1, gt=0)
    target_running: int = Field(default=8, gt=0, description="Requests a replica, for autoscaling.")
    engine_kwargs: dict[str, object] = Field(
        default_factory=dict, description="Handed to vLLM as they are."
    )


class ClassifierArgs(Section):
    """`args` of `serve_app.deployments.classifier_app:build_classifier`: a model that classifies
    texts, for filter rules of kind `classifier` with the source `app:NAME`."""

    path: str = Field(
        min_length=1,
        description="A folder with a Hugging Face model for sequence classification, or its name "
        "at the hub (HF_HUB_OFFLINE is honoured).",
    )
    device: Literal["auto", "gpu", "cpu"] = "auto"
    window_tokens: int = Field(
        default=512,
        ge=16,
        description="Longer texts are judged in overlapping windows; the highest score counts. "
        "Less where the model takes less.",
    )
    max_batch: int = Field(default=16, gt=0, description="Windows computed together.")
    max_waiting: int = Field(
        default=1024,
        gt=0,
        description="Windows that may wait in a replica. A text of more of them is not judged.",
    )
    cpus: float = Field(default=1.0, ge=0, description="CPUs reserved in Ray.")
    gpus: float = Field(
        default=0.25, gt=0, le=1, description="Share of a GPU that is reserved, on a GPU."
    )
    min_replicas: int = Field(default=1, ge=0)
    max_replicas: int = Field(default=1, gt=0)
    target_ongoing: float = Field(
        default=4, gt=0, description="Calls a replica, each of many texts, for autoscaling."
    )
