"""Signatures of webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from serve_app.tasks.signing import Signer, signer_of

OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def test_a_message_is_signed_as_the_reference_signs_it() -> None:
    # From the Python package of github.com/standard-webhooks/standard-webhooks, 1.0.1.
    headers = Signer([OLD]).headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330.9, b'{"test": 2432232314}'
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_secrets_change_both_sign() -> None:
    body = "ünï".encode()
    said = Signer([NEW, OLD]).headers("msg_1", 7, body)["webhook-signature"].split(" ")
    keys = [base64.b64decode(secret.removeprefix("whsec_")) for secret in (NEW, OLD)]
    for mark, key in zip(said, keys, strict=True):
        digest = hmac.new(key, b"msg_1.7." + body, hashlib.sha256).digest()
        assert mark == "v1," + base64.b64encode(digest).decode()


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", OLD.removeprefix("whsec_"), "whsec_MfKQ9r8GKY", "whsec_!!!"],
)
def test_what_is_no_secret_is_refused_and_not_told(secret: str) -> None:
    with pytest.raises(ValueError, match="a webhook secret is") as refused:
        Signer([secret])
    assert len(secret) < 7 or secret not in str(refused.value)


def test_secrets_come_from_the_variables_that_are_set() -> None:
    assert not signer_of(["A", "B"], {"A": " "})
    signer = signer_of(["A", "B"], {"B": f" {OLD}\n", "C": NEW})
    assert signer.headers("m", 1, b"") == Signer([OLD]).headers("m", 1, b"")
    with pytest.raises(ValueError, match="B: a webhook secret"):
        signer_of(["A", "B"], {"B": "secret"})
