"""What the routes of alerts take."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from serve_app.wire.checks import check_utf8, no_json, wrong_field

MAX_SILENCE_S: Final = 31 * 86400
MAX_MATCHERS: Final = 16
SILENCE_ID: Final = r"^silence_[0-9a-f]{16}$"

# \Z, because $ would let a newline at the end pass.
_PLAIN: Final = r"^[^\x00-\x1f\x7f]*\Z"


class MatcherBody(Struct, frozen=True, forbid_unknown_fields=True):
    """What a label has to be; `alert` is the rule's name, `severity` its severity."""

    label: Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z_][A-Za-z0-9_]*\Z")]
    value: Annotated[str, Meta(max_length=256, pattern=_PLAIN)]
    op: Literal["=", "!=", "=~", "!~"] = "="


class SilenceBody(Struct, frozen=True, forbid_unknown_fields=True):
    matchers: Annotated[list[MatcherBody], Meta(min_length=1, max_length=MAX_MATCHERS)]
    for_s: Annotated[int, Meta(ge=1, le=MAX_SILENCE_S)]
    reason: Annotated[str, Meta(max_length=200, pattern=_PLAIN)] = ""
    author: Annotated[str, Meta(max_length=64, pattern=_PLAIN)] = ""


_silence: Final = msgspec.json.Decoder(SilenceBody)


def decode_silence(body: bytes) -> SilenceBody:
    """Check the body of `POST /v1/alerts/silences`.

    Raises:
        BadRequest: `param` is the path of the field at fault.
    """
    check_utf8(body)
    try:
        return _silence.decode(body)
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json(error) from None
