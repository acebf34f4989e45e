from hypothesis import given
from hypothesis import strategies as st

from serve_app.store import keys


def test_a_plain_name_stays_readable() -> None:
    assert keys.conversation("acme", "chat-1") == "serve-app:v1:{acme}:conversation:chat-1"


def test_braces_and_colons_from_outside_do_not_reach_the_key() -> None:
    key = keys.conversation("a}:b{", "x:y{z}")
    assert key.count("{") == key.count("}") == 1
    assert key.count(":") == "serve-app:v1:{t}:conversation:s".count(":")


def test_every_key_of_a_tenant_has_the_same_hash_tag() -> None:
    made = [
        keys.cache_entry("t", "f"),
        keys.conversation("t", "s"),
        keys.conversation_state("t", "s"),
        keys.conversation_draft("t", "s"),
        keys.conversation_responses("t", "s"),
        keys.stored_response("t", "r"),
        keys.session_names("t", "s"),
        keys.scope_state("t", ("t", "user=u")),
        keys.scope_holds("t", ("t", "user=u")),
        keys.ledger_day("t", "2026-01-31", "user"),
        keys.ledger_writer("t", "w"),
        keys.flight_lease("t", "f"),
        keys.flight_wanted("t", "f"),
        keys.flight_batches("t", "f", "replica.1"),
    ]
    assert {key[key.index("{") : key.index("}") + 1] for key in made} == {"{t}"}


def test_the_books_of_all_tenants_may_have_one_hash_tag() -> None:
    made = [
        keys.scope_state(keys.TOGETHER, ("t", "user=u")),
        keys.scope_holds(keys.TOGETHER, ("other", "user=u")),
        keys.ledger_day("t", "2026-01-31", "user", keys.TOGETHER),
        keys.ledger_writer(keys.TOGETHER, "w"),
    ]
    assert {key[key.index("{") : key.index("}") + 1] for key in made} == {"{[ledger]}"}


def test_what_replicas_share_about_backends_is_of_one_slot_and_of_no_tenant() -> None:
    made = [keys.vitals("breakers"), keys.vitals("figures"), keys.probe("b:{", "org/m}")]
    tags = {key[key.index("{") : key.index("}") + 1] for key in made}
    assert tags == {"{[vitals]}"}
    assert "{[vitals]}" not in keys.conversation("[vitals]", "s")


def test_a_tenant_is_never_an_empty_hash_tag() -> None:
    assert "{}" not in keys.conversation("", "s")


@given(st.text(), st.text())
def test_different_values_never_share_a_key(one: str, other: str) -> None:
    assert (keys.escape(one) == keys.escape(other)) == (one == other)


@given(st.text())
def test_an_escaped_value_is_short_and_harmless(value: str) -> None:
    escaped = keys.escape(value)
    assert 0 < len(escaped) <= 64
    assert escaped.isascii()
    assert not set(escaped) & set(":{}* \n\r\0")


def test_a_long_value_and_the_text_of_its_digest_differ() -> None:
    long = "x" * 200
    assert keys.escape(keys.escape(long)) != keys.escape(long)


def test_a_pattern_for_answers_holds_nothing_of_a_pattern_from_outside() -> None:
    assert keys.cache_entries() == "serve-app:v1:{*}:cache:*"
    assert keys.cache_entries("acme", "f") == keys.cache_entry("acme", "f")
    pattern = keys.cache_entries("a*[b]?", "x*")
    assert not set(pattern) & set("*?[]\\")
    assert keys.cache_purges() != keys.cache_entry("[cache]", "purges")
