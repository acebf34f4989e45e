"""Keys and tokens that their issuers give a prefix of their own, so that they are recognised.

The forms are those of the issuers' documentation and secret-scanning pages.
"""

from __future__ import annotations

from serve_app.filters.secrets.chance import digits_in, is_placeholder
from serve_app.filters.shapes.form import NO, Form, Judge
from serve_app.filters.shapes.neighbours import is_word
from serve_app.filters.shapes.shape import (
    BORDER,
    Shape,
    any_of,
    chars,
    digits,
    maybe,
    text,
    then,
    times,
)

_ALNUM = chars("A-Za-z0-9")
_URL_SAFE = chars(r"A-Za-z0-9_\-")
_HEX = chars("0-9a-f")
_LEAST_DISTINCT = 6
_LEAST_DIGITS = 2


def _judge(text: str, start: int, end: int) -> int:
    """Not part of something longer, and not `ghp_xxxxxxxx`."""
    if is_word(text[end : end + 1]) or text[end : end + 1] == "_":
        return NO
    token = text[start:end]
    few = len(set(token[-16:])) < _LEAST_DISTINCT
    return NO if few or is_placeholder(token) else end


def _judge_with_digits(text: str, start: int, end: int) -> int:
    """Names of packages and style classes begin with `sk-`, too; they have few digits."""
    return NO if digits_in(text[start:end]) < _LEAST_DIGITS else _judge(text, start, end)


def _one_of(*prefixes: str) -> Shape:
    return any_of(*map(text, prefixes))


def _token(kind: str, hint: str, *shapes: Shape, judge: Judge = _judge) -> Form:
    return Form(kind, then(BORDER, *shapes), judge, hint, behind="")


_MODELS = (
    _token("anthropic_key", "sk-ant-", text("sk-ant-"), times(_URL_SAFE, 40, 200)),
    _token("openrouter_key", "sk-or-v", text("sk-or-v1-"), times(_HEX, 64)),
    # DashScope's and DeepSeek's keys look the same.
    _token("dashscope_key", "sk-[0-9a-f]{32}", text("sk-"), times(_HEX, 32)),
    _token("openai_key", r"sk-[A-Za-z0-9_\-]{20}", text("sk-"), times(_URL_SAFE, 20, 250),
           judge=_judge_with_digits),
    _token("huggingface_token", "hf_[A-Za-z0-9]", text("hf_"), times(_ALNUM, 30, 40)),
    _token("groq_key", "gsk_[A-Za-z0-9]", text("gsk_"), times(_ALNUM, 40, 60)),
    _token("xai_key", "xai-[A-Za-z0-9]", text("xai-"), times(_ALNUM, 70, 90)),
    _token("perplexity_key", "pplx-[A-Za-z0-9]", text("pplx-"), times(_ALNUM, 40, 60)),
    _token("replicate_token", "r8_[A-Za-z0-9]", text("r8_"), times(_ALNUM, 37, 40)),
    _token("nvidia_key", "nvapi-", text("nvapi-"), times(_URL_SAFE, 60, 80)),
    _token("zhipu_key", r"[0-9a-f]{32}\.[A-Za-z0-9]{16}", times(_HEX, 32), text("."),
           times(_ALNUM, 16)),
)  # fmt: skip
_CLOUDS = (
    _token("aws_key_id", "(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]", _one_of("AKIA", "ASIA", "ABIA", "ACCA"),
           times(chars("A-Z0-9"), 16)),
    _token("google_key", "AIza", text("AIza"), times(_URL_SAFE, 35)),
    _token("google_oauth_secret", "GOCSPX-", text("GOCSPX-"), times(_URL_SAFE, 28)),
    _token("google_oauth_token", r"ya29\.", text("ya29."), times(_URL_SAFE, 20, 400)),
    _token("aliyun_key_id", "LTAI[A-Za-z0-9]", text("LTAI"), times(_ALNUM, 12, 24)),
    _token("tencent_secret_id", "AKID[A-Za-z0-9]", text("AKID"), times(_ALNUM, 32)),
    _token("digitalocean_token", "do[opr]_v1_", _one_of("dop_v1_", "doo_v1_", "dor_v1_"),
           times(_HEX, 64)),
    _token("databricks_token", "dapi[0-9a-f]", text("dapi"), times(_HEX, 32),
           maybe(then(text("-"), digits(1)))),
    _token("vault_token", r"hv[sb]\.", _one_of("hvs.", "hvb."), times(_URL_SAFE, 24, 250)),
)  # fmt: skip
_FORGES = (
    _token("github_token", "gh[opusr]_[A-Za-z0-9]",
           _one_of("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), times(_ALNUM, 36, 255)),
    _token("github_token", "github_pat_", text("github_pat_"), times(_ALNUM, 22), text("_"),
           times(_ALNUM, 59)),
    _token("gitlab_token", "gl[a-z]{2,5}-",
           _one_of("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glft-", "glsoat-", "glagent-"),
           times(_URL_SAFE, 20, 300),
           maybe(then(text("."), digits(2), text("."), times(_ALNUM, 9)))),
    _token("npm_token", "npm_[A-Za-z0-9]", text("npm_"), times(_ALNUM, 36)),
    _token("pypi_token", "pypi-AgE", text("pypi-AgE"), times(_URL_SAFE, 50, 400)),
)  # fmt: skip
_SERVICES = (
    _token("slack_token", "xox[a-z]-", text("xox"), chars("abeoprs"), text("-"),
           times(chars(r"A-Za-z0-9\-"), 10, 250), judge=_judge_with_digits),
    _token("slack_token", "xapp-", text("xapp-"), digits(1), text("-"),
           times(chars(r"A-Za-z0-9\-"), 20, 250)),
    _token("stripe_key", "[sr]k_(?:live|test)_",
           _one_of("sk_live_", "rk_live_", "sk_test_", "rk_test_"), times(_ALNUM, 16, 250)),
    _token("stripe_key", "whsec_", text("whsec_"), times(_ALNUM, 32, 64)),
    _token("twilio_key", "SK[0-9a-f]{32}", text("SK"), times(_HEX, 32)),
    _token("sendgrid_key", r"SG\.", text("SG."), times(_URL_SAFE, 22), text("."),
           times(_URL_SAFE, 43)),
    _token("mailgun_key", "key-[0-9a-f]", text("key-"), times(_HEX, 32)),
    _token("shopify_token", "shp[a-z]{2}_", _one_of("shpat_", "shpca_", "shppa_", "shpss_"),
           times(chars("0-9a-fA-F"), 32)),
    _token("telegram_token", r"\d{8,10}:A[A-Za-z0-9_\-]{34}", digits(8, 10), text(":A"),
           times(_URL_SAFE, 34)),
    _token("linear_key", "lin_api_", text("lin_api_"), times(_ALNUM, 40)),
    _token("notion_token", "(?:ntn|secret)_[A-Za-z0-9]{40}", _one_of("ntn_", "secret_"),
           times(_ALNUM, 40, 50)),
)  # fmt: skip
TOKENS = _MODELS + _CLOUDS + _FORGES + _SERVICES
