"""Secrets as their issuers form them, and what only looks like them."""

from __future__ import annotations

import base64
import json
import string
import textwrap
from collections.abc import Callable
from random import Random

from labelled import Source

ALNUM = string.ascii_letters + string.digits
_URL_SAFE = ALNUM + "-_"
_HEX = "0123456789abcdef"
_BASE32 = string.ascii_uppercase + "234567"
_BASE64 = ALNUM + "+/"


def drawn(rng: Random, alphabet: str, count: int) -> str:
    """By chance; ends in a letter or digit, and has digits, as all but very few have."""
    return "".join(rng.choices(alphabet, k=count - 4)) + "".join(rng.choices("abc789", k=2)) + "d4"


def _plain(make: Callable[[Random], str]) -> Source:
    """A token that its prefix tells; a near miss is another prefix, a stump, or a placeholder."""

    def near_miss(rng: Random) -> str:
        token = make(rng)
        return rng.choice(
            ["q" + token, "_" + token, token[:12], "".join(c if c in "-_." else "x" for c in token)]
        )

    return Source(make, near_miss)


def _prefixed(prefix: str, alphabet: str, *counts: int) -> Source:
    return _plain(lambda rng: prefix + drawn(rng, alphabet, rng.choice(counts)))


def _sendgrid(rng: Random) -> str:
    return f"SG.{drawn(rng, _URL_SAFE, 22)}.{drawn(rng, _URL_SAFE, 43)}"


def _pat(rng: Random) -> str:
    return f"github_pat_{drawn(rng, ALNUM, 22)}_{drawn(rng, ALNUM, 59)}"


def _encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def jwt(rng: Random) -> str:
    head = _encoded({"alg": rng.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"})
    claims = _encoded({"sub": drawn(rng, ALNUM, 10), "n": rng.randrange(10**9)})
    return f"{head}.{claims}.{drawn(rng, _URL_SAFE, rng.choice([43, 86, 342]))}"


def no_jwt(rng: Random) -> str:
    head, claims, sign = jwt(rng).split(".")
    return rng.choice(
        [f"{head}.{claims}", f"x{head}.{claims}.{sign}", f"{_encoded({'type': 1})}.{claims}.{sign}",
         f"eyJ{head[::-1]}.{claims}.{sign}"]
    )  # fmt: skip


def private_key(rng: Random) -> str:
    name = rng.choice(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA "])
    body = drawn(rng, _BASE64, rng.choice([64, 400, 1700, 3200])) + rng.choice(["", "=", "=="])
    lines = textwrap.wrap(body, rng.choice([64, 70]))
    head = ["Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,ABCDEF0123456789", ""]
    if name == "RSA " and rng.random() < 0.5:
        lines = head + lines
    join = rng.choice(["\n", "\r\n", "\\n", "\n> "])
    key = join.join([f"-----BEGIN {name}PRIVATE KEY-----", *lines])
    return f"{key}{join}-----END {name}PRIVATE KEY-----"


def no_private_key(rng: Random) -> str:
    body = "\n".join(textwrap.wrap(drawn(rng, _BASE64, 400), 64))
    return rng.choice(
        [f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----",
         f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----",
         "-----BEGIN PRIVATE KEY----- and the rest of it", "`-----BEGIN RSA PRIVATE KEY-----`",
         "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----"]
    )  # fmt: skip


_PASSWORD = ALNUM + "!#%^*_-~+"


def url_password(rng: Random) -> str:
    scheme = rng.choice(["postgres", "mysql", "mongodb+srv", "redis", "amqp", "https", "rediss"])
    user = rng.choice(["", "admin", "app_user", "default"])
    return f"{scheme}://{user}:\0{drawn(rng, _PASSWORD, rng.randint(8, 24))}"


def no_url_password(rng: Random) -> str:
    return rng.choice(
        ["http://localhost:8080/a@b", "https://example.com/u:p@x", "redis://localhost:6379/0",
         "postgres://user:password@localhost/db", "postgres://user:${DB_PASSWORD}@host/db",
         "mysql://root:****@host", "mailto:bob:al@example.com", "https://bob@example.com:443/"]
    )  # fmt: skip


def password(rng: Random) -> str:
    cue = rng.choice(
        ["password: ", "password=", "DB_PASSWORD='", '"passwd": "', "pwd = ", "密码：", "密码是",
         "口令: ", "passphrase = ", "Password：", "密码为 ", "PASSWORD => '"]
    )  # fmt: skip
    return f"{cue}\0{drawn(rng, _PASSWORD.replace('-', '').replace('!', ''), rng.randint(8, 20))}"


def no_password(rng: Random) -> str:
    return rng.choice(
        ["password: required", "password must be: 8 to 20 characters", "password = get_password(1)",
         "password=os.environ['P4SSWORD']", "password: str", "密码是必填的", "密码错误，请重试",
         "your password: changeme", "password=your_password_1", "pwd=/home/user1/app2",
         "password: ${PASSWORD1}", "password reset 2024", "password: ********"]
    )  # fmt: skip


def secret_value(rng: Random) -> str:
    cue = rng.choice(
        ["api_key: ", "API_KEY=", '"apiKey": "', "client_secret = '", "access_token=",
        "SECRET_KEY: ",
         "auth_token: ", "secret：", "x-api-key: "]
    )  # fmt: skip
    return f"{cue}\0{drawn(rng, ALNUM, rng.randint(20, 60))}"


def no_secret_value(rng: Random) -> str:
    return rng.choice(
        ["token: bert-base-uncased-finetuned", "max_tokens: 4096", "tokens = 1024",
        "api_key: string",
         "api_key=YOUR_API_KEY_12345678", "secret = load_secret_from_vault(12)", "token=1700000000",
         "next_token: none", "the secret is simple", "key: value12345678901234567",
         "api_key: xxxxxxxxxxxxxxxxxxxxxxx1", "token: aaaaaaaaaaaaaaaaaaaaaa11"]
    )  # fmt: skip


def _cued(cues: list[str], make: Callable[[Random], str], *misses: str) -> Source:
    return Source(
        lambda rng: f"{rng.choice(cues)}\0{make(rng)}", lambda rng: rng.choice([*misses, make(rng)])
    )


SOURCES: dict[str, Source] = {
    "openai_key": _plain(
        lambda rng: rng.choice(
            ["sk-" + drawn(rng, ALNUM, 48), "sk-proj-" + drawn(rng, _URL_SAFE, 120),
             "sk-svcacct-" + drawn(rng, _URL_SAFE, 100)]
        )
    ),
    "anthropic_key": _prefixed("sk-ant-api03-", _URL_SAFE, 95),
    "dashscope_key": _prefixed("sk-", _HEX, 32),
    "openrouter_key": _prefixed("sk-or-v1-", _HEX, 64),
    "github_token": _plain(
        lambda rng: rng.choice(
            [rng.choice(["ghp_", "gho_", "ghs_"]) + drawn(rng, ALNUM, 36), _pat(rng)]
        )
    ),
    "gitlab_token": _prefixed("glpat-", _URL_SAFE, 20),
    "aws_key_id": _plain(
        lambda rng: rng.choice(["AKIA", "ASIA"]) + "".join(rng.choices(_BASE32, k=16))
    ),
    "google_key": _prefixed("AIza", _URL_SAFE, 35),
    "slack_token": _prefixed("xoxb-123456789012-", ALNUM, 36),
    "stripe_key": _prefixed("sk_live_", ALNUM, 24, 99),
    "twilio_key": _prefixed("SK", _HEX, 32),
    "sendgrid_key": _plain(_sendgrid),
    "npm_token": _prefixed("npm_", ALNUM, 36),
    "pypi_token": _prefixed("pypi-AgEIcHlwaS5vcmc", _URL_SAFE, 140),
    "huggingface_token": _prefixed("hf_", ALNUM, 34),
    "telegram_token": _prefixed("1234567890:AA", _URL_SAFE, 33),
    "jwt": Source(jwt, no_jwt),
    "private_key": Source(private_key, no_private_key),
    "url_password": Source(lambda rng: url_password(rng) + "\1@db.example:5432/x", no_url_password),
    "password": Source(password, no_password),
    "secret_value": Source(secret_value, no_secret_value),
    "aws_secret_key": _cued(
        ["aws_secret_access_key = ", "AWS_SECRET_ACCESS_KEY=", '"aws_secret": "'],
        lambda rng: drawn(rng, _BASE64, 40),
        "aws_region = us-east-1", "aws_secret_access_key = ", "commit " + _HEX * 2,
    ),
    "azure_key": _cued(
        ["AccountName=a;AccountKey=", "SharedAccessKey="],
        lambda rng: drawn(rng, _BASE64, 86) + "==",
        "AccountKey=", "SharedAccessKeyName=RootManageSharedAccessKey",
    ),
    "bearer_token": _cued(
        ["Authorization: Bearer ", "bearer "], lambda rng: drawn(rng, ALNUM, 40),
        "Bearer token", "bearer of this letter", "Bearer authentication-scheme-name",
    ),
    "slack_webhook": _cued(
        ["https://hooks.slack.com/services/"],
        lambda rng: f"T0123ABCD/B0456EFGH/{drawn(rng, ALNUM, 24)}",
        "https://hooks.slack.com/services/", "https://hooks.slack.com/services/T/B",
    ),
    "discord_webhook": _cued(
        ["https://discord.com/api/webhooks/", "https://discordapp.com/api/webhooks/"],
        lambda rng: f"{rng.randrange(10**17, 10**18)}/{drawn(rng, _URL_SAFE, 68)}",
        "https://discord.com/api/webhooks/123", "https://discord.com/channels/1/2",
    ),
}  # fmt: skip
"""As SOURCES of `pii_formats`; a `\\1` parts the secret from what stands behind it."""
