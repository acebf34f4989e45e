"""A backend that embeds, as the semantic cache's embedder: texts in, vectors out."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import numpy as np

from serve_app.backends.base import AttemptFailed, Backend, Call

_LIMIT_S = 10.0

_object = msgspec.json.Decoder(dict[str, Any]).decode


class BackendVectors:
    """Vectors of one model at one backend.

    Args:
        backend: named `name` in the configuration.
    """

    def __init__(self, name: str, backend: Backend, model: str) -> None:
        self.name = f"{name}/{model}"
        self._backend = backend
        self._call = (name, model)

    async def vectors(self, texts: list[str]) -> np.ndarray:
        """Array (len(texts), dims) of float32, rows of norm 1.

        Raises:
            AttemptFailed: the backend did not answer, or not with a vector for each text.
        """
        name, model = self._call
        body = msgspec.json.encode({"model": model, "input": texts, "encoding_format": "float"})
        call = Call(
            backend=name,
            model=model,
            body=body,
            stream=False,
            request_id="semantic-cache",
            timeout_s=_LIMIT_S,
            endpoint="embeddings",
        )
        raw = b""
        async for batch in self._backend.run(call):
            raw = batch[0].raw
        try:
            rows = [_vector(item["embedding"]) for item in _object(raw)["data"]]
            found = np.array(rows, dtype=np.float32)
            if found.ndim != 2 or len(found) != len(texts):
                raise ValueError("not a vector for each text")
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
            raise AttemptFailed("transient", f"no vectors: {error}", code="malformed") from None
        norms = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.maximum(norms, 1e-9), dtype=np.float32)

    async def close(self) -> None:
        await self._backend.close()


def _vector(given: Any) -> Any:
    if isinstance(given, str):
        return np.frombuffer(base64.b64decode(given), dtype=np.float32)
    return given
