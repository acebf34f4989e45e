"""What a batch would ask, without asking it: rows, first prompts, and roughly what they cost."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from serve_app.accounting.prices import PriceList
from serve_app.batch.order import Order
from serve_app.batch.survey import Survey, survey
from serve_app.config.policy import Price
from serve_app.config.shipped import shipped
from serve_app.core.money import usd

_BYTES_PER_TOKEN = 4
"""Of English; what is said here is a size, not a bill."""
_SHOWN_CHARS = 2000
_MILLION = 1_000_000


def preview(order: Order) -> str:
    """The text that `--dry-run` shows.

    Raises:
        BatchFailed: the batch could not be run.
    """
    return os.linesep.join([*_lines(order, survey(order)), ""])


def _lines(order: Order, found: Survey) -> Iterator[str]:
    yield f"{found.rows} rows in {len(found.files)} files, columns {', '.join(found.columns)}"
    if found.bad:
        yield f"{len(found.bad)} rows are not usable, the first: {found.bad[0].message}"
    for number, messages in enumerate(found.shown, start=1):
        yield f"--- request {number}"
        for message in msgspec.json.decode(messages):
            yield f"{message['role']}: {str(message.get('content'))[:_SHOWN_CHARS]}"
    yield "---"
    yield _cost(order, found)


def _cost(order: Order, found: Survey) -> str:
    prompt = found.message_bytes // _BYTES_PER_TOKEN
    tokens = f"About {prompt:,} prompt tokens"
    if order.via == "vllm":
        return f"{tokens}, on engines of one's own"
    price = PriceList.load(shipped("prices.yaml")).price(order.model)
    if price is None:
        return f"{tokens}; no price is known for {order.model!r}"
    return f"{tokens}, ${usd(_of(prompt, price.input, price))}{_answers(order, found, price)}"


def _answers(order: Order, found: Survey, price: Price) -> str:
    if order.max_tokens is None:
        return f"; answers cost ${usd(price.output)} per million tokens"
    longest = order.max_tokens * (found.rows - len(found.bad))
    return f", and at most ${usd(_of(longest, price.output, price))} for {longest:,} of answers"


def _of(tokens: int, rate: int, price: Price) -> int:
    """At the price of work that does not hurry."""
    return tokens * rate * price.batch_percent // (100 * _MILLION)
