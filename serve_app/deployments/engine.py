"""vLLM under Ray Serve's LLMServer: JSON requests go in, JSON or SSE bytes come out.

Importing this module costs 6 s and 700 MB: only the model's replica does it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

import msgspec
from pydantic import ValidationError
from ray.llm._internal.common.callbacks.base import CallbackBase
from ray.llm._internal.serve.core.configs.openai_api_models import (
    ChatCompletionRequest,
    EmbeddingCompletionRequest,
    ErrorResponse,
)
from ray.llm._internal.serve.core.protocol import RawRequestInfo
from ray.llm._internal.serve.engines.vllm.vllm_engine import VLLMEngine
from ray.serve.llm import LLMConfig, LLMServer
from vllm.exceptions import VLLMClientError
from vllm.v1.engine.exceptions import EngineDeadError

from serve_app.deployments.engine_gauge import EngineGauge
from serve_app.deployments.problem import Problem

logger = logging.getLogger(__name__)

Request = TypeVar("Request", ChatCompletionRequest, EmbeddingCompletionRequest)

_INVALID = "invalid_request"

_PROMPT_FIELDS = {"input_tokens", "input_text"}
"""What vLLM names as the field at fault when a prompt does not fit the context."""

_OUTPUT_FIELDS = {"max_tokens", "max_completion_tokens"}


class FilesAreHere(CallbackBase):  # type: ignore[misc]  # Ray is untyped
    """Skips Ray's download step: a task in yet another process (6 s) that fetches nothing.

    A model named by its hub name is fetched by vLLM itself.
    """

    async def on_before_node_init(self) -> None:
        self.ctx.run_init_node = False


class Engine(VLLMEngine):  # type: ignore[misc]  # Ray is untyped
    """Ray's vLLM engine, with the executor that was asked for, and an end."""

    executor: str | None = None
    """`uni` or `mp` on a CPU, where Ray would always take `mp`; None leaves it to Ray."""

    def _prepare_engine_config(self, callback_ctx: Any) -> Any:
        engine_args, frontend_args, config = super()._prepare_engine_config(callback_ctx)
        if self.executor is not None:
            config.parallel_config.distributed_executor_backend = self.executor
        return engine_args, frontend_args, config

    gauge: EngineGauge | None = None

    def measure(self, *, alone: bool) -> None:
        """Have vLLM tell how full it is.

        Args:
            alone: its own loggers, which count each token, are let go.
        """
        manager = self._engine_client.logger_manager
        if manager is not None:
            self.gauge = EngineGauge()
            manager.stat_loggers = [*([] if alone else manager.stat_loggers), self.gauge]

    def kv_used(self) -> float | None:
        """Share of the KV cache that is in use; None: vLLM does not say."""
        if self.gauge is None:
            return None
        return self.gauge.kv_used if self.unfinished() else 0.0

    def unfinished(self) -> int:
        """Requests that vLLM runs or holds waiting."""
        return int(self._engine_client.get_num_unfinished_requests())

    def stop(self) -> None:
        """End vLLM's processes; Ray's own shutdown leaves them to the death of the replica."""
        if self._engine_client is not None:
            self._engine_client.shutdown()


class SerialEngine(Engine):
    executor = "uni"


class Server(LLMServer):  # type: ignore[misc]  # Ray is untyped
    """Ray's LLM server without its telemetry actor, one more process of 600 MB."""

    @property
    def model_id(self) -> str:
        return str(self._llm_config.model_id)

    async def _start_engine(self) -> None:
        await self.engine.start()

    def __del__(self) -> None:
        """Ray's is a coroutine that nobody awaits here; `LocalModel` ends the engine."""


async def start(
    config: Mapping[str, Any], *, in_one_process: bool, asked: Mapping[str, Any]
) -> Server:
    """A server whose engine is up and has loaded the model.

    Args:
        config: fields of Ray's LLMConfig.
        asked: the arguments of vLLM's engine that its owner names.
    """
    settings = LLMConfig(**config, callback_config={"callback_class": FilesAreHere})
    server: Server = Server.sync_init(
        settings, engine_cls=SerialEngine if in_one_process else Engine
    )
    await server.start()
    server.engine.measure(alone="disable_log_stats" not in asked)
    return server


def chat(
    server: Server, body: bytes, request_id: str, trace: Mapping[str, str]
) -> AsyncGenerator[bytes]:
    """Answer a chat request; see `_answers` for how.

    Args:
        trace: headers for vLLM's spans; none: it makes none.

    Raises:
        Problem: no JSON, or not a chat request; names the field.
    """
    request = _parsed(ChatCompletionRequest, body, request_id)
    if not request.messages:
        raise _invalid_field("messages", "must not be empty")
    return _answers(_told(server.chat, trace), request, "messages")


def embed(
    server: Server, body: bytes, request_id: str, trace: Mapping[str, str]
) -> AsyncGenerator[bytes]:
    """Answer an OpenAI request for embeddings with one JSON body; `trace` as in `chat`.

    Raises:
        Problem: no JSON, or not such a request; names the field.
    """
    request = _parsed(EmbeddingCompletionRequest, body, request_id)
    if request.model not in (None, server.model_id):  # vLLM does not look at it here
        raise _not_found(request.model)
    if request.encoding_format not in ("float", "base64"):
        raise _invalid_field("encoding_format", "must be 'float' or 'base64'")
    return _answers(_told(server.embeddings, trace), request, "input")


def _told(answer: Callable[..., Any], trace: Mapping[str, str]) -> Callable[..., Any]:
    """What answers, with what vLLM would have found in the request's head."""
    if not trace:
        return answer
    return partial(answer, raw_request_info=RawRequestInfo(headers=dict(trace)))


def _parsed(kind: type[Request], body: bytes, request_id: str) -> Request:
    """vLLM's request out of a JSON body."""
    try:
        request = kind.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(error) from error
    except VLLMClientError as error:
        raise _refused(error, "") from error
    request.request_id = request_id
    return request


def _invalid_field(param: str, what: str) -> Problem:
    return Problem(f"{param}: {what}", status=400, code=_INVALID, param=param)


def _not_found(model: str) -> Problem:
    message = f"The model `{model}` does not exist."
    return Problem(message, status=404, code="model_not_found", param="model")


def _invalid(error: ValidationError) -> Problem:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    param = ".".join(str(part) for part in first["loc"]) or None
    message = f"{param}: {first['msg']}" if param else str(first["msg"])
    return Problem(message, status=400, code=_INVALID, param=param)


def _refused(error: VLLMClientError, prompt: str) -> Problem:
    return _problem(400, str(error), getattr(error, "parameter", None), prompt)


async def _answers(
    answer: Callable[[Request], Awaitable[AsyncGenerator[Any]]], request: Request, prompt: str
) -> AsyncGenerator[bytes]:
    """The answer's bytes as they come; closing the iterator stops vLLM's work on it.

    Args:
        prompt: the request's field that holds the prompt.

    Raises:
        Problem: vLLM refused the request, or its engine is gone.
    """
    try:
        async with aclosing(await answer(request)) as replies:
            async for reply in replies:
                yield _encoded(reply, prompt)
    except EngineDeadError as error:
        message = "the local model's engine has stopped; a new one is being started"
        raise Problem(message, status=503, code="engine_stopped") from error
    except VLLMClientError as error:
        raise _refused(error, prompt) from error


def _encoded(reply: Any, prompt: str) -> bytes:
    """A whole answer is an object of vLLM's, a piece of a stream a list of SSE events."""
    if isinstance(reply, list):
        for item in reply:
            if isinstance(item, ErrorResponse):
                raise _reported(item, prompt)
        return "".join(reply).encode()
    if isinstance(reply, ErrorResponse):
        raise _reported(reply, prompt)
    return msgspec.json.encode(reply.model_dump(mode="json"))


def _reported(response: ErrorResponse, prompt: str) -> Problem:
    error = response.error
    return _problem(int(error.code), error.message, error.param, prompt)


def _problem(status: int, message: str, param: str | None, prompt: str) -> Problem:
    # vLLM ends its messages with "(parameter=..., value=...)".
    text = message.partition(" (parameter=")[0]
    if param in _PROMPT_FIELDS or (param in _OUTPUT_FIELDS and "max_model_len" in text):
        field = prompt if param in _PROMPT_FIELDS else param
        return Problem(text, status=400, code="context_length_exceeded", param=field)
    if status >= 500:
        return Problem(text, status=status, code="engine_failed", param=param)
    code = "model_not_found" if status == 404 else _INVALID
    return Problem(text, status=status, code=code, param=param)
