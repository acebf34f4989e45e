"""Requests, charges and their sums by hour."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.Text, primary_key=True),
        *_columns(sa.BigInteger, "at"),
        *_columns(sa.Text, "request_id", "route"),
        *_columns(sa.BigInteger, "status"),
        *_columns(sa.Text, "error", "tenant", "team", "user_id", "key_id", "backend", "model"),
        *_columns(sa.Text, "tier", "cache"),
        *_columns(sa.SmallInteger, "is_stream"),
        *_columns(sa.BigInteger, "attempts", "prompt_tokens", "completion_tokens"),
        *_columns(sa.BigInteger, "cost_micro_usd", "saved_micro_usd", "duration_us"),
        sa.Column("first_content_us", sa.BigInteger),
        *_columns(sa.Text, "session"),
        sa.Column("content", sa.Text),
    )
    op.create_index("requests_at", "requests", ["at"])
    op.create_table(
        "charges",
        sa.Column("id", sa.Text, primary_key=True),
        *_columns(sa.BigInteger, "at"),
        *_columns(sa.Text, "request_id", "tenant", "team", "user_id", "key_id", "backend"),
        *_columns(sa.Text, "model", "route", "tier", "cache"),
        *_columns(sa.SmallInteger, "is_batch", "is_named"),
        *_columns(sa.BigInteger, *_SUMS),
        sa.Column("rolled", sa.SmallInteger, nullable=False, server_default="0"),
    )
    op.create_index("charges_at", "charges", ["at"])
    is_open = sa.text("rolled = 0")
    op.create_index(
        "charges_open", "charges", ["at"], sqlite_where=is_open, postgresql_where=is_open
    )
    op.create_table(
        "charge_hours",
        *_columns(sa.BigInteger, "hour"),
        *_columns(sa.Text, *_NAMES),
        *_columns(sa.SmallInteger, "is_batch"),
        *_columns(sa.BigInteger, *_SUMS),
        sa.PrimaryKeyConstraint("hour", *_NAMES, "is_batch"),
    )


def downgrade() -> None:
    for table in ("charge_hours", "charges", "requests"):
        op.drop_table(table)


_NAMES = (
    "tenant", "team", "user_id", "key_id", "backend", "model", "route", "tier", "cache",
)  # fmt: skip
_SUMS = (
    "requests", "failed", "prompt_tokens", "completion_tokens", "provider_cached_tokens",
    "cost_micro_usd", "saved_micro_usd",
)  # fmt: skip


def _columns(kind: type[sa.types.TypeEngine[Any]], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names]
