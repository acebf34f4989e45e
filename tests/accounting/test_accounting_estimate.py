from fractions import Fraction

from serve_app.accounting.estimate import Workload, monthly_cost
from serve_app.accounting.prices import PriceList
from serve_app.config.shipped import shipped


def test_ten_thousand_requests_a_day_of_gpt_3_5_cost_140_usd() -> None:
    price = PriceList.load(shipped("prices.yaml")).price("gpt-3.5-turbo")
    assert price is not None
    workload = Workload(10_000, 500, cache_hit_share=Fraction(3, 10))
    assert monthly_cost(price, workload) == 140_000_000


def test_without_the_cache_they_cost_200() -> None:
    price = PriceList.load(shipped("prices.yaml")).price("gpt-3.5-turbo")
    assert price is not None
    assert monthly_cost(price, Workload(10_000, 500)) == 200_000_000


def test_rounding_happens_once() -> None:
    price = PriceList.load(shipped("prices.yaml")).price("gpt-4o-mini")
    assert price is not None
    # 30 million tokens and one day of nothing in between: thirds everywhere, a whole sum.
    assert monthly_cost(price, Workload(1_000_000, 1)) == 30 * 300_000
