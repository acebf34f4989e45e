from __future__ import annotations

from serve_app.config.backend_settings import HostedBackend, LocalBackend, ModelSettings
from serve_app.routing.catalog import Catalog, ModelName

MINI = ModelSettings(id="mini", context=8000, capabilities=["tools"])
BIG = ModelSettings(id="org/big", context=128_000, max_output=4096)
ALPHA = HostedBackend(
    name="alpha", base_url="http://alpha/v1", api_key_env=["ALPHA_KEY"], models=[MINI, BIG]
)
BETA = HostedBackend(name="beta", base_url="http://beta/v1", models=[MINI])
HOUSE = LocalBackend(
    name="house",
    kind="local",
    app="model",
    tokenizer="embedded",
    models=[ModelSettings(id="small", context=2048)],
)


def catalog(**environ: str) -> Catalog:
    return Catalog([ALPHA, BETA, HOUSE], environ)


def test_a_backend_with_its_key_is_on() -> None:
    assert catalog(ALPHA_KEY="k").is_on("alpha")
    assert catalog(ALPHA_KEY="k").notices() == []


def test_a_backend_without_its_key_is_off_and_names_the_variable() -> None:
    missing = catalog()
    assert not missing.is_on("alpha")
    assert missing.notices() == [
        "backend 'alpha' is off: environment variable ALPHA_KEY is not set"
    ]
    assert "ALPHA_KEY is empty" in catalog(ALPHA_KEY=" ").notices()[0]


def test_backends_that_need_no_key_are_on() -> None:
    assert catalog().is_on("beta")
    assert catalog().is_on("house")


def test_a_backend_that_there_is_not_is_not_on() -> None:
    assert not catalog().is_on("gamma")


def test_a_bare_id_means_every_backend_that_has_it_in_order() -> None:
    assert [m.ref for m in catalog().resolve("mini")] == ["alpha/mini", "beta/mini"]


def test_backend_and_model_mean_one_even_with_a_slash_in_the_model() -> None:
    assert [m.id for m in catalog().resolve("alpha/org/big")] == ["org/big"]
    assert [m.backend for m in catalog().resolve("org/big")] == ["alpha"]


def test_an_unknown_name_means_nothing() -> None:
    assert catalog().resolve("alpha/nothing") == ()
    assert catalog().resolve("") == ()


def test_names_are_those_that_answer_now() -> None:
    assert catalog().names() == [ModelName("mini", "beta"), ModelName("small", "house")]


def test_shared_ids_are_also_listed_with_their_backend() -> None:
    names = catalog(ALPHA_KEY="k").names()
    assert names == [
        ModelName("mini", "alpha"),
        ModelName("alpha/mini", "alpha"),
        ModelName("beta/mini", "beta"),
        ModelName("org/big", "alpha"),
        ModelName("small", "house"),
    ]


def test_models_carry_what_the_settings_say() -> None:
    model = catalog().find("alpha/mini")
    assert model is not None
    assert (model.context, model.max_output, model.local) == (8000, None, False)
    assert model.capabilities == {"tools"}
    small = catalog().find("house/small")
    assert small is not None
    assert small.local


def test_who_obeys_a_schema_can_answer_with_an_object() -> None:
    settings = ModelSettings(id="m", context=100, capabilities=["json_schema"])
    backend = HostedBackend(name="a", base_url="http://a/v1", models=[settings])
    found = Catalog([backend], {}).find("a/m")
    assert found is not None
    assert found.capabilities == {"json_schema", "json_object"}


def test_a_local_model_knows_how_many_calls_it_takes_at_once() -> None:
    small, mini = catalog().find("house/small"), catalog().find("beta/mini")
    assert small is not None
    assert mini is not None
    assert (small.max_running, mini.max_running) == (HOUSE.max_running, None)
