"""What holds of every plan, whatever the policy, the vitals and the request."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some
from routing.plans import (
    EASY,
    HARD,
    MIDDLING,
    Backends,
    Desk,
    hosted,
    local,
    model,
    query,
    refs,
    vectors,
)

from serve_app.config.policy import RoutingPolicy
from serve_app.core.plan import Candidate, Plan, PlanQuery
from serve_app.core.vital import Headroom, Reading
from serve_app.routing.catalog import Catalog
from serve_app.routing.directory import Directory
from serve_app.routing.load import EXPECTED_ANSWER
from serve_app.routing.standing import (
    GUESSED_FIRST_TOKEN_S,
    GUESSED_TOKENS_PER_S,
    SHAKY_FROM,
    SHAKY_SAMPLES,
)

BACKENDS: Backends = [
    hosted("a", model("x", 4000, "tools"), model("y", 50_000, "tools", "vision", most=300)),
    hosted("b", model("x", 8000), model("z", 32_000, "json_schema"), vectors("v")),
    hosted("c", model("y", 9000, "tools"), vectors("v"), vectors("w"), key="C_KEY"),
    hosted("d", model("x", 16_000, "tools", "vision", "json_schema"), key="D_KEY"),
    local("e", model("s", 2048)),
]
CATALOG = Catalog(BACKENDS, {"D_KEY": "k"})
CHAT = [m.ref for m in CATALOG if m.endpoint == "chat"]
STRATEGIES = ["listed", "cheapest", "fastest", "best"]
NAMES = ["auto", "cheap", "default", "strong", "local", "x", "a/y", "v", "plain", "split", "alone"]

readings = some.builds(
    Reading,
    first_token_p50_s=some.none() | some.floats(0.01, 5.0),
    tokens_per_s=some.none() | some.floats(1.0, 500.0),
    error_rate=some.sampled_from([0.0, 0.1, 0.5, 1.0]),
    samples=some.sampled_from([0, 5, 50]),
    is_open=some.booleans(),
    open_for_s=some.sampled_from([0.0, 3.0]),
    away=some.sampled_from(["", "", "", "gone"]),
    headroom=some.none()
    | some.builds(
        Headroom,
        requests_left=some.none() | some.integers(0, 2),
        tokens_left=some.none() | some.integers(0, 2000),
        resets_in_s=some.sampled_from([0.0, 5.0]),
    ),
)
prices = some.dictionaries(
    some.sampled_from(["x", "y", "z", "v", "w"]),
    some.tuples(some.integers(0, 5000), some.integers(0, 5000), some.integers(0, 5000)),
)
tiers = some.lists(some.sampled_from(CHAT), unique=True, max_size=4)
weights = some.dictionaries(some.sampled_from(CHAT), some.floats(0.5, 9.0), min_size=1)
policies = some.builds(
    lambda weights, **fields: RoutingPolicy.model_validate(
        {
            **fields,
            "routes": {
                "plain": {"models": CHAT, "strategy": fields["strategy"]},
                "split": {"models": CHAT, "strategy": "weighted", "weights": weights},
                "alone": {"models": CHAT, "fallback": False},
            },
        }
    ),
    weights=weights,
    cheap=tiers,
    default=tiers,
    strong=tiers,
    local=some.lists(some.just("e/s"), max_size=1),
    strategy=some.sampled_from(STRATEGIES),
    local_use=some.sampled_from(["fallback", "first", "only"]),
    sticky=some.booleans(),
)


def with_calls(desk: Desk, running: int) -> Desk:
    """A desk that sees calls under way at the local model, which takes four."""
    desk.chart.run("e/s", running)
    return desk


queries = some.builds(
    query,
    model=some.sampled_from(NAMES),
    text=some.sampled_from([EASY, MIDDLING, HARD]),
    prompt_tokens=some.integers(1, 20_000),
    max_output_tokens=some.integers(1, 1000),
    needs=some.lists(
        some.sampled_from(["tools", "vision", "json_object", "n"]), unique=True, max_size=2
    ).map(tuple),
    may_shorten=some.booleans(),
    endpoint=some.sampled_from(["chat", "chat", "chat", "embeddings"]),
    conversation=some.sampled_from(["", "one", "two"]),
    opening_tokens=some.integers(0, 500),
    seed=some.sampled_from(["", "s", "t"]),
    warm=some.sampled_from(["", *CHAT]),
)
desks = some.builds(
    lambda policy, readings, prices, running: with_calls(
        Desk(policy, BACKENDS, readings, prices, environ={"D_KEY": "k"}), running
    ),
    policies,
    some.dictionaries(some.sampled_from([m.ref for m in CATALOG]), readings),
    prices,
    some.integers(0, 6),
)


def route_of(desk: Desk, policy: RoutingPolicy, one: PlanQuery, plan: Plan) -> list[str]:
    """The models of the route that a plan took."""
    directory = Directory(desk.stage.catalog, policy)
    route = directory.route(one.model)
    if route is None:
        embeds = one.endpoint == "embeddings"
        route = directory.embedding if embeds else directory.automatic[plan.tier]
    return [step.model.ref for step in route.steps]


def is_well(desk: Desk, candidate: Candidate, one: PlanQuery) -> bool:
    """Whether nothing speaks for asking another one first."""
    what = desk.chart.of(candidate.backend, candidate.model).what
    if what.is_open and what.open_for_s > 0:
        return False
    room = what.headroom
    if room is not None and room.resets_in_s > 0:
        wanted = one.prompt_tokens + one.max_output_tokens
        tokens_left = wanted if room.tokens_left is None else room.tokens_left
        if room.requests_left == 0 or tokens_left < wanted:
            return False
    return candidate.backend != "e" or desk.chart.of("e", "s").running < 4


def is_steady(desk: Desk, candidate: Candidate) -> bool:
    what = desk.chart.of(candidate.backend, candidate.model).what
    often = what.error_rate >= SHAKY_FROM and what.samples >= SHAKY_SAMPLES
    return what.is_open or not often


@given(desks, queries)
@settings(max_examples=200, deadline=None)
async def test_a_plan_never_holds_a_model_that_cannot_take_the_request(
    desk: Desk, one: PlanQuery
) -> None:
    for candidate in (await desk.plan(one)).candidates:
        model = desk.stage.catalog.find(f"{candidate.backend}/{candidate.model}")
        assert model is not None
        assert not model.off
        assert model.endpoint == one.endpoint
        assert set(one.needs) <= model.capabilities
        assert one.may_shorten or one.prompt_tokens + one.max_output_tokens <= model.context
        assert model.max_output is None or one.max_output_tokens <= model.max_output
        assert not desk.chart.of(candidate.backend, candidate.model).what.away


@given(policies, desks, queries)
@settings(max_examples=200, deadline=None)
async def test_every_model_of_a_route_is_in_the_plan_or_left_out_once_with_a_reason(
    policy: RoutingPolicy, desk: Desk, one: PlanQuery
) -> None:
    desk.stage.reconfigure(policy)
    plan = await desk.plan(one)
    left_out = [f"{e.backend}/{e.model}" for e in plan.excluded]
    assert sorted([*refs(plan), *left_out]) == sorted(route_of(desk, policy, one, plan))
    assert all(candidate.reason for candidate in plan.candidates)
    assert all(exclusion.reason for exclusion in plan.excluded)
    assert (plan.problem is None) == bool(plan.candidates)
    if policy.local_use == "only":
        assert set(refs(plan)) <= {"e/s", *policy.local}


@given(desks, queries)
@settings(max_examples=200, deadline=None)
async def test_who_is_well_comes_before_who_is_not(desk: Desk, one: PlanQuery) -> None:
    well = [is_well(desk, c, one) for c in (await desk.plan(one)).candidates]
    assert well == sorted(well, reverse=True)


@given(desks, queries)
@settings(max_examples=200, deadline=None)
async def test_the_same_request_gets_the_same_plan(desk: Desk, one: PlanQuery) -> None:
    first, second = await desk.stage.plan([one, one])
    desk.clock.advance(60.0)
    assert first == second == await desk.plan(one)


@given(policies, some.dictionaries(some.sampled_from(CHAT), readings), prices, queries)
@settings(max_examples=200, deadline=None)
async def test_candidates_are_in_the_order_of_the_strategy(
    policy: RoutingPolicy, written: dict[str, Reading], prices: Any, one: PlanQuery
) -> None:
    """Seen at a route that takes all models as good enough, by models that are well and steady,
    without a conversation, which may prefer one of them."""
    desk = Desk(policy, BACKENDS, written, prices, environ={"D_KEY": "k"})
    ask = query("plain", prompt_tokens=one.prompt_tokens, max_output_tokens=one.max_output_tokens)
    plan = await desk.plan(ask)
    good = [c for c in plan.candidates if is_well(desk, c, ask) and is_steady(desk, c)]
    hosted_only = [c for c in good if policy.local_use != "first" or c.backend != "e"]
    figures = [figure(desk, policy, c, ask) for c in hosted_only]
    assert figures == sorted(figures)


def figure(desk: Desk, policy: RoutingPolicy, candidate: Candidate, one: PlanQuery) -> Any:
    """What the strategy goes by, worked out anew; last what decides between equals."""
    ref = f"{candidate.backend}/{candidate.model}"
    answer = min(one.max_output_tokens, EXPECTED_ANSWER)
    place = CHAT.index(ref)
    if policy.strategy == "cheapest":
        price = desk.prices.get(candidate.model)
        if candidate.backend == "e":
            return 0, place
        if price is None:
            return float("inf"), place
        return one.prompt_tokens * price.input + answer * price.output, place
    if policy.strategy == "fastest":
        what = desk.chart.of(candidate.backend, candidate.model).what
        start = what.first_token_p50_s
        start = GUESSED_FIRST_TOKEN_S if start is None else start
        return start + answer * (1 / (what.tokens_per_s or GUESSED_TOKENS_PER_S)), place
    if policy.strategy == "best":
        tiers = (policy.strong, policy.default, policy.cheap)
        return next((n for n, tier in enumerate(_filled(policy, tiers)) if ref in tier), 3), place
    return place


def _filled(policy: RoutingPolicy, tiers: Any) -> Any:
    """The tiers, or what they are where the policy names none."""
    if any((*tiers, policy.local)):
        return tiers
    return [], [ref for ref in CHAT if ref != "e/s"], []
