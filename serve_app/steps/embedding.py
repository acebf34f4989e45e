"""The semantic cache's embedder where a backend is one: the two rooms meet here."""

from __future__ import annotations

from serve_app.backends.base import AttemptFailed
from serve_app.backends.embedder import BackendVectors
from serve_app.cache.semantic.base import EmbedderUnavailable, Embedding


class BackendEmbedder:
    """Implements `cache.semantic.base.Embedder`."""

    def __init__(self, vectors: BackendVectors) -> None:
        self.name = vectors.name
        self._vectors = vectors

    async def embed(self, texts: list[str]) -> list[Embedding]:
        """See `Embedder.embed`."""
        try:
            return [Embedding(vector) for vector in await self._vectors.vectors(texts)]
        except AttemptFailed as error:
            raise EmbedderUnavailable(error.message) from None

    async def close(self) -> None:
        await self._vectors.close()
