"""The way to a classifier's application: a `Classifier` whose work another deployment does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from serve_app.deployments.carriers import FAILURES, LateHandle, hop_failed
from serve_app.deployments.hop import Coalescer, HopFailed

_LONG_CHARS = 4096
"""A longer text travels alone: its windows take the classifier longer than short texts, which
would wait for it, may wait."""
_LIMIT_S = 30.0
"""The longest that a rule may wait (`timeout_s`); each waits as long as it says."""


class RemoteClassifier:
    """Implements `filters.base.Classifier` over a handle of Serve.

    Args:
        app: name of the application.
        find: gives the handle; see `LateHandle`.
    """

    def __init__(self, app: str, find: Callable[[], DeploymentHandle]) -> None:
        self._app = app
        self._handle = LateHandle(find)
        self._short = self._lane(max_batch=64)
        self._long = self._lane(max_batch=1)

    async def classify(self, texts: list[str]) -> list[dict[str, float]]:
        """See `Classifier.classify`.

        Raises:
            Overloaded: it does not answer, or too much waits for it.
        """
        lanes = [self._short if len(text) <= _LONG_CHARS else self._long for text in texts]
        answers = await asyncio.gather(
            *(lane([text]) for lane, text in zip(lanes, texts, strict=True))
        )
        return [scores for [scores] in answers]

    def _lane(self, max_batch: int) -> Coalescer[str, dict[str, float]]:
        scores: Any = dict[str, float]
        return Coalescer(
            f"app:{self._app}",
            self._send,
            scores,
            in_flight=4,
            max_batch=max_batch,
            max_waiting=1024,
            timeout_s=_LIMIT_S,
            stops=True,
        )

    async def _send(self, payload: bytes) -> bytes:
        handle = await self._handle.ready()
        if handle is None:
            raise HopFailed("it is not running", retryable=False)
        response = handle.options(method_name="classify_raw").remote(payload)
        try:
            answer: bytes = await response
        except FAILURES as error:
            raise hop_failed(error) from error
        except asyncio.CancelledError:
            response.cancel()
            raise
        return answer


def classifier_app(name: str) -> RemoteClassifier:
    """The classifier that the application of that name is."""
    return RemoteClassifier(name, partial(serve.get_app_handle, name))
