"""Routes of what is kept elsewhere: a Redis or a place of files that does not answer is told as
ours, without its words, which may name paths."""

from __future__ import annotations

from functools import wraps

from serve_app.core.errors import NotFound, Overloaded
from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Handler
from serve_app.store.errors import StoreUnavailable


def kept(handle: Handler) -> Handler:
    """The same handler, whose failures are the caller's errors."""

    @wraps(handle)
    async def handled(exchange: Exchange) -> None:
        try:
            await handle(exchange)
        except FileNotFoundError:
            raise NotFound("The content is gone", param="id", code="file_not_found") from None
        except OSError as error:
            raise Overloaded(
                f"Files cannot be read or written at the moment ({type(error).__name__})",
                code="files_unavailable",
                retry_after_s=5,
            ) from None
        except StoreUnavailable:
            raise Overloaded(
                "What is kept cannot be looked up at the moment",
                code="store_unavailable",
                retry_after_s=1,
            ) from None

    return handled
