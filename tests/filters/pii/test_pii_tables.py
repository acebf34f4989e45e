"""Recall and precision of every kind on generated texts, and on numbers that others publish."""

from __future__ import annotations

import phonenumbers
import pytest
from faker import Faker
from labelled import Labelled, labelled, score
from pii_formats import SOURCES

from serve_app.filters.pii import DEFAULT_KINDS, KINDS, PiiFinder

_COUNT = 1000


def test_every_kind_has_a_table() -> None:
    assert SOURCES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", SOURCES)
def test_recall_and_precision(kind: str) -> None:
    result = score(PiiFinder([kind]), labelled(SOURCES[kind], _COUNT, seed=1))
    assert result.recall >= 0.98
    assert result.precision >= 0.98


@pytest.mark.parametrize("kind", DEFAULT_KINDS)
def test_recall_is_no_worse_among_the_other_kinds(kind: str) -> None:
    texts = (text for text in labelled(SOURCES[kind], _COUNT, seed=2) if text.span)
    assert score(PiiFinder(), texts).recall >= 0.98


def test_numbers_of_every_region_in_international_form() -> None:
    examples = [
        phonenumbers.format_number(example, form)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        if (example := phonenumbers.example_number(region))
        for form in (
            phonenumbers.PhoneNumberFormat.INTERNATIONAL,
            phonenumbers.PhoneNumberFormat.E164,
        )
    ]
    finder = PiiFinder(["phone"])
    found = [
        n for n in examples if [m.end - m.start for m in finder.find(f"Call {n}.")] == [len(n)]
    ]
    assert len(found) / len(examples) >= 0.98


@pytest.mark.parametrize(
    ("kind", "locale", "maker"),
    [
        ("email", "en_US", "email"),
        ("email", "zh_CN", "ascii_email"),
        ("cn_id", "zh_CN", "ssn"),
        ("phone", "zh_CN", "phone_number"),
        ("us_ssn", "en_US", "ssn"),
        ("iban", "de_DE", "iban"),
        ("iban", "fr_FR", "iban"),
        ("ip", "en_US", "ipv4_public"),
        ("ip", "en_US", "ipv6"),
        ("mac", "en_US", "mac_address"),
    ],
)
def test_recall_on_what_faker_makes(kind: str, locale: str, maker: str) -> None:
    fake = Faker(locale)
    fake.seed_instance(3)
    made = [str(getattr(fake, maker)()) for _ in range(300)]
    texts = (Labelled(f"资料：{thing}。", (3, 3 + len(thing))) for thing in made)
    assert score(PiiFinder([kind]), texts).recall >= 0.98


# Not `jcb` and `maestro`: Faker makes ones that the issuers' ranges do not have, or of 12 digits.
@pytest.mark.parametrize("issuer", ["visa", "mastercard", "amex", "discover", "diners"])
def test_recall_on_cards_that_faker_makes(issuer: str) -> None:
    fake = Faker("en_US")
    fake.seed_instance(4)
    made = [fake.credit_card_number(issuer) for _ in range(200)]
    texts = (Labelled(f"卡号{number}。", (2, 2 + len(number))) for number in made)
    assert score(PiiFinder(["card"]), texts).recall >= 0.98
