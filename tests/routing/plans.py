"""What the router's tests build with: backends, policies, queries, and vitals to be written by
hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from serve_app.config.backend_settings import Capability, HostedBackend, LocalBackend, ModelSettings
from serve_app.config.policy import Price, RoutingPolicy
from serve_app.core.clock import FakeClock
from serve_app.core.plan import Plan, PlanQuery, Problem
from serve_app.core.vital import Reading
from serve_app.routing.base import Judge
from serve_app.routing.router import RouterStage

HARD = "Prove that there are infinitely many primes, step by step, and analyse each step."
EASY = "What colour is the sky?"
MIDDLING = "Compare cats and dogs."


class Written(Struct):
    """One model's vitals."""

    what: Reading = Reading()
    running: int = 0

    def reading(self) -> Reading:
        return self.what


class Chart:
    """A book of vitals that somebody else measured: what is written here is what is read."""

    def __init__(self, readings: Mapping[str, Reading] | None = None) -> None:
        self._written = {ref: Written(reading) for ref, reading in (readings or {}).items()}

    def of(self, backend: str, model: str) -> Written:
        return self._written.setdefault(f"{backend}/{model}", Written())

    def write(self, ref: str, reading: Reading) -> None:
        self._written[ref] = Written(reading)

    def run(self, ref: str, calls: int) -> None:
        """So many calls are under way."""
        backend, _, model = ref.partition("/")
        self.of(backend, model).running = calls


def hosted(name: str, *models: ModelSettings, key: str | None = None) -> HostedBackend:
    keys = [key] if key else []
    return HostedBackend(
        name=name, base_url=f"http://{name}/v1", api_key_env=keys, models=list(models)
    )


def local(name: str, one: ModelSettings, running: int = 4) -> LocalBackend:
    return LocalBackend(
        name=name, kind="local", app="m", tokenizer="embedded", models=[one], max_running=running
    )


def model(name: str, context: int = 8000, *can: Capability, most: int | None = None) -> Any:
    return ModelSettings(id=name, context=context, capabilities=list(can), max_output=most)


def vectors(name: str, context: int = 8000) -> Any:
    return ModelSettings(id=name, kind="embedding", context=context)


HOUSE = local("house", model("small", 2048))
Backends = list[HostedBackend | LocalBackend]

BACKENDS: Backends = [
    hosted("alpha", model("mini", 8000, "tools"), model("big", 100_000, "tools", "vision")),
    hosted("beta", model("mini", 16_000), model("middle", 32_000, "tools")),
    HOUSE,
]
TIERED = RoutingPolicy(
    cheap=["alpha/mini", "beta/mini"],
    default=["beta/middle"],
    strong=["alpha/big"],
    local=["house/small"],
    aliases={"fast": "cheap", "gpt": "alpha/big", "any": "auto"},
)


def tiered(**changes: Any) -> RoutingPolicy:
    return RoutingPolicy.model_validate({**TIERED.model_dump(), **changes})


class Desk:
    """A router with the vitals, the prices and the clock that it looks at.

    Args:
        prices: by model name, `(input, output)` or `(input, output, cached input)`.
    """

    def __init__(
        self,
        policy: RoutingPolicy = TIERED,
        backends: Sequence[HostedBackend | LocalBackend] | None = None,
        readings: Mapping[str, Reading] | None = None,
        prices: Mapping[str, tuple[int, ...]] | None = None,
        judge: Judge | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.chart = Chart(readings)
        self.clock = FakeClock()
        self.prices = {name: _price(*price) for name, price in (prices or {}).items()}
        self.stage = RouterStage(
            BACKENDS if backends is None else backends,
            policy,
            environ or {},
            self.chart,
            self.prices.get,
            judge,
            self.clock,
        )

    async def plan(self, *queries: PlanQuery) -> Plan:
        """The plan of the first query."""
        plans = await self.stage.plan(list(queries))
        assert len(plans) == len(queries)
        return plans[0]

    async def refs(self, one: PlanQuery) -> list[str]:
        return refs(await self.plan(one))

    async def problem(self, one: PlanQuery) -> Problem:
        plan = await self.plan(one)
        assert plan.candidates == []
        assert plan.problem is not None
        return plan.problem


def _price(input: int, output: int, cached: int | None = None) -> Price:
    return Price(input=input, output=output, cached_input=cached)


def query(model: str = "auto", text: str = EASY, **changes: Any) -> PlanQuery:
    fields: dict[str, Any] = {"turns": 1, "prompt_tokens": 20, "max_output_tokens": 0, **changes}
    return PlanQuery(model=model, text=text, **fields)


def refs(plan: Plan) -> list[str]:
    return [f"{c.backend}/{c.model}" for c in plan.candidates]


def reasons(plan: Plan) -> dict[str, str]:
    """By `backend/model`, of candidates and of what was left out."""
    left_out = {f"{e.backend}/{e.model}": e.reason for e in plan.excluded}
    return left_out | {f"{c.backend}/{c.model}": c.reason for c in plan.candidates}
