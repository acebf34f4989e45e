import hashlib
from pathlib import Path

import pytest

from serve_app.admission.auth import ANONYMOUS, KeyRing
from serve_app.config.policy import AdmissionPolicy
from serve_app.core.errors import PolicyRejected, Unauthorized


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def ring(**policy: object) -> KeyRing:
    keys = [{"sha256": digest("sk-ann"), "tenant": "acme", "user": "ann"}]
    return KeyRing(AdmissionPolicy.model_validate({"keys": keys, **policy}))


@pytest.mark.parametrize(
    ("authorization", "x_api_key"),
    [
        ("Bearer sk-ann", None),
        ("bearer  sk-ann ", None),
        (None, "sk-ann"),
        ("Basic dXNlcg==", "sk-ann"),
    ],
)
def test_a_known_key_is_somebody(authorization: str | None, x_api_key: str | None) -> None:
    identity = ring().identify(authorization, x_api_key)
    assert (identity.tenant, identity.user) == ("acme", "ann")
    assert identity.key_id == digest("sk-ann")[:12]


@pytest.mark.parametrize(
    ("authorization", "x_api_key", "code"),
    [
        (None, None, "missing_api_key"),
        ("", "", "missing_api_key"),
        ("Bearer", None, "missing_api_key"),
        ("Basic sk-ann", None, "missing_api_key"),
        ("Bearer sk-bob", None, "invalid_api_key"),
        ("Bearer sk-ann sk-ann", None, "invalid_api_key"),
        (None, "sk-ann\ud800", "invalid_api_key"),
        (f"Bearer {digest('sk-ann')}", None, "invalid_api_key"),
    ],
)
def test_anybody_else_is_refused(
    authorization: str | None, x_api_key: str | None, code: str
) -> None:
    with pytest.raises(Unauthorized) as refused:
        ring().identify(authorization, x_api_key)
    assert refused.value.code == code
    assert "sk-" not in str(refused.value)


def test_an_open_house_takes_everybody_and_still_knows_its_people() -> None:
    open_ring = ring(require_key=False)
    assert open_ring.identify(None, None) == ANONYMOUS
    assert open_ring.identify("Bearer sk-whatever", None) == ANONYMOUS
    assert open_ring.identify("Bearer sk-ann", None).user == "ann"


def test_a_key_without_a_user_is_its_own_user() -> None:
    lone = ring(keys=[{"sha256": digest("sk-lone"), "tenant": "acme"}])
    assert lone.identify("Bearer sk-lone", None).user == digest("sk-lone")[:12]


def test_keys_come_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(f"- {{sha256: {digest('sk-bob')}, tenant: other, user: bob}}\n")
    both = ring(key_file=str(file))
    assert both.identify("Bearer sk-bob", None).tenant == "other"
    assert both.identify("Bearer sk-ann", None).tenant == "acme"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- {sha256: sk-secret, tenant: t}", "0.sha256"),
        ("keys: []", "valid list"),
        ("- [", "not YAML"),
        (f"- {{sha256: {digest('sk-ann')}, tenant: t}}", "occurs twice"),
        (None, "No such file"),
    ],
)
def test_a_bad_file_is_refused_without_repeating_it(
    tmp_path: Path, content: str | None, message: str
) -> None:
    file = tmp_path / "keys.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(PolicyRejected, match=message) as refused:
        ring(key_file=str(file))
    assert "sk-secret" not in str(refused.value)
