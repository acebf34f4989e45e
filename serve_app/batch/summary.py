"""What a batch comes to, as figures and as the lines that tell it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from serve_app.batch.results import Failures, Tally
from serve_app.core.money import usd

Status = Literal["done", "stopped", "interrupted"]


class Summary(Struct, frozen=True):
    """All runs of a batch together, but for `seconds` and what is made from them."""

    status: Status
    why: str
    """It ended early; empty: it did not."""
    output: str
    fingerprint: str
    rows: int
    done: int
    failed: int
    errors: dict[str, Failures]
    """By kind."""
    cached: int
    """Rows answered from the gateway's cache."""
    prompt_tokens: int
    completion_tokens: int
    cost_usd: str
    cost_per_row_usd: str
    seconds: float
    """Of this run's work."""
    rows_per_s: float
    tokens_per_s: float
    """Completion tokens of this run, from its first request to its last answer."""

    @property
    def is_done(self) -> bool:
        return self.status == "done"

    def lines(self) -> list[str]:
        """For people."""
        tokens = f"{self.prompt_tokens} + {self.completion_tokens} tokens"
        cost = f"${self.cost_usd} (${self.cost_per_row_usd} a row)"
        speed = f"{self.rows_per_s:.1f} rows/s, {self.tokens_per_s:.1f} tokens/s"
        errors = sorted(self.errors.items(), key=lambda item: -item[1].count)
        return [
            self._headline(),
            f"  {tokens}, {cost}, {self.cached} rows from the cache",
            f"  this run: {self.seconds:.1f} s, {speed}",
            *(f"  {failures.count} x {kind}: {failures.example}" for kind, failures in errors),
        ]

    def _headline(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        if self.is_done:
            return f"{self.output}: {self.rows} rows{failed}"
        return f"Ended early: {self.why}. {self.done} of {self.rows} rows are kept{failed}"


def summarise(
    *,
    status: Status,
    why: str,
    output: str,
    fingerprint: str,
    rows: int,
    total: Tally,
    run: Tally,
    seconds: float,
) -> Summary:
    """Args:
    total: of all runs.
    run: of this one.
    """
    span_s = run.ended - run.began if run.ended else 0.0
    return Summary(
        status=status,
        why=why,
        output=output,
        fingerprint=fingerprint,
        rows=rows,
        done=total.done,
        failed=total.failed,
        errors=total.errors,
        cached=total.cached,
        prompt_tokens=total.prompt_tokens,
        completion_tokens=total.completion_tokens,
        cost_usd=usd(total.cost_micro_usd),
        cost_per_row_usd=f"{total.cost_micro_usd / max(1, total.done) / 1e6:.8f}",
        seconds=round(seconds, 3),
        rows_per_s=round(run.done / seconds, 3) if seconds > 0 else 0.0,
        tokens_per_s=round(run.completion_tokens / span_s, 3) if span_s > 0 else 0.0,
    )
