"""Values that what stands before them calls a secret: `password=`, `api_key:`, `Bearer`,
passwords in addresses of databases and brokers, keys in connection strings."""

from __future__ import annotations

import re

from serve_app.filters.secrets.chance import (
    digits_in,
    entropy,
    is_placeholder,
    kinds_of_letters,
)
from serve_app.filters.shapes.form import NO, Form
from serve_app.filters.shapes.shape import (
    BORDER,
    Shape,
    any_of,
    caseless,
    chars,
    digits,
    maybe,
    text,
    then,
    times,
    unending,
)

# Here and below, `?` is any character beyond ASCII and \x1f a question mark (see `sight.py`).
_QUOTE = maybe(chars("\\x22'`"))
_SPACE = times(text(" "), 0, 3)
_IS = then(_QUOTE, _SPACE, times(chars(":=?"), 1, 3), maybe(text(">")), _SPACE, _QUOTE)
_SUFFIX = maybe(any_of(then(text("_"), times(chars("A-Za-z0-9_"), 1, 12)), chars("0-9")))
_FIRST = r"!#$%&*+\-./0-9@A-Z^_a-z|~"
_VALUE = chars(_FIRST + r":=\x1f")


def _words(*words: str) -> Shape:
    return caseless(any_of(*map(text, words)))


_PASSWORD_CUE = then(
    _words("password", "passwd", "passphrase", "passcode", "pwd"), _SUFFIX, _IS
)  # fmt: skip
_CHINESE_CUE = then(times(text("?"), 2), _SPACE, times(chars(":=?"), 0, 3), _SPACE, _QUOTE)
_CHINESE = re.compile(r"(?:密码|密碼|口令|密钥|密鑰|令牌)[^0-9A-Za-z。！？；，\n]{0,6}$")
_PASSWORD = then(chars(_FIRST), times(_VALUE, 5, 127))
_KEY_CUE = then(
    _words("secret", "token", "api_key", "apikey", "api-key", "access_key", "accesskey",
           "access-key", "secretkey", "auth_key", "signing_key", "encryption_key", "private_key",
           "account_key", "credential", "credentials", "api key", "authorization"),
    _SUFFIX,
    _IS,
)  # fmt: skip
_KEY = then(chars(r"A-Za-z0-9+/_"), times(chars(r"A-Za-z0-9+/=_.~\-"), 15, 255))
_LEAST_BITS = 3.2
_LEAST_DIGITS = 2
_LEAST_DISTINCT = 5
_IS_CODE = frozenset("([")


def _judge_password(text: str, start: int, end: int) -> int:
    stop = start + len(text[start:end].rstrip(".:"))
    value = text[start:stop]
    if stop - start < 6 or value[0] in "/$" or text[end : end + 1] in _IS_CODE:
        return NO
    mixed = digits_in(value) or kinds_of_letters(value) > 2
    varied = len(set(value)) >= _LEAST_DISTINCT
    return stop if mixed and varied and not is_placeholder(value) else NO


def _judge_chinese(text: str, start: int, end: int) -> int:
    if not _CHINESE.search(text[max(0, start - 12) : start]):
        return NO
    return _judge_password(text, start, end)


def _judge_key(text: str, start: int, end: int) -> int:
    stop = start + len(text[start:end].rstrip("."))
    value = text[start:stop]
    if stop - start < 16 or text[end : end + 1] in _IS_CODE or is_placeholder(value):
        return NO
    random = digits_in(value) >= _LEAST_DIGITS and entropy(value) >= _LEAST_BITS
    return stop if random and kinds_of_letters(value) > 1 else NO


_AWS_CUE = then(caseless(text("aws")), times(chars(r"A-Za-z_.\- "), 0, 32), _IS)
_AWS_SECRET = times(chars("A-Za-z0-9/+"), 40)
_AZURE_CUE = any_of(text("AccountKey="), text("SharedAccessKey="), text("&sig="), text("?sig="),
                    text("\x1fsig="))  # fmt: skip
_AZURE_KEY = then(times(chars("A-Za-z0-9+/%"), 40, 120), times(text("="), 0, 2))
_BEARER_CUE = then(BORDER, caseless(text("bearer")), times(text(" "), 1, 2))
_BEARER_SIGN = chars(r"A-Za-z0-9._~+/=\-")
_BEARER = unending(_BEARER_SIGN, 20, 2048)


def _judge_whole(text: str, start: int, end: int) -> int:
    """Drawn by chance, and not the beginning of something longer."""
    after = text[end : end + 1]
    longer = after.isascii() and (after.isalnum() or after in {"/", "+"})
    return NO if longer or entropy(text[start:end]) < _LEAST_BITS else end


_URL_CUE = then(
    BORDER,
    chars("A-Za-z"),
    times(chars(r"A-Za-z0-9+.\-"), 1, 20),
    text("://"),
    times(chars(r"!$&-.0-9;=A-Z_a-z~%"), 0, 64),
    text(":"),
)
_URL_PASSWORD = then(times(chars(r"!#-.0-;=A-Z\[\]^_a-z{|}~"), 1, 128), text("@"))


def _judge_url(text: str, start: int, end: int) -> int:
    """The at sign tells a password from a port, and stays."""
    return NO if is_placeholder(text[start : end - 1]) else end - 1


_SLACK_CUE = then(text("hooks.slack.com/"), any_of(text("services/"), text("workflows/"),
                                                    text("triggers/")))  # fmt: skip
_SLACK_HOOK = then(chars("A-Z0-9"), times(chars("A-Za-z0-9/_"), 20, 120))
_DISCORD_CUE = then(text("discord"), maybe(text("app")), text(".com/api/webhooks/"))
_DISCORD_HOOK = then(digits(17, 20), text("/"), times(chars(r"A-Za-z0-9_\-"), 60, 80))

ASSIGNMENTS = (
    Form("slack_webhook", _SLACK_HOOK, _judge_whole, "hooks.slack.com/", _SLACK_CUE, ""),
    Form("discord_webhook", _DISCORD_HOOK, _judge_whole, "/api/webhooks/", _DISCORD_CUE, ""),
    Form("url_password", _URL_PASSWORD, _judge_url, "://[^ /@]*:[^ /@]*@", _URL_CUE, ""),
    Form("aws_secret_key", _AWS_SECRET, _judge_whole, "(?i)aws", _AWS_CUE, ""),
    Form("azure_key", _AZURE_KEY, _judge_whole, "(?:AccessKey|AccountKey|sig)=", _AZURE_CUE, ""),
    Form("bearer_token", _BEARER, _judge_key, "(?i:bearer )", _BEARER_CUE, "",
         times(_BEARER_SIGN, 20)),
    Form("password", _PASSWORD, _judge_password, "(?i:passw|passp|passc|pwd)", _PASSWORD_CUE, ""),
    Form("password", _PASSWORD, _judge_chinese, r"\?\?[:=? \x22'`]*[!-~\x1f]{6}",
         _CHINESE_CUE, ""),
    Form("secret_value", _KEY, _judge_key, "(?i:secret|token|key|credential|authoriz)", _KEY_CUE,
         ""),
)  # fmt: skip
