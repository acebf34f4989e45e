"""`serve-app cost`, `prices` and `records`, against real records; in this process, to be quick."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest
from records.costs_world import record, served_costs
from records.records_world import charge

from serve_app.cli.failure import Failure
from serve_app.cli.main import app

MILLION = 1_000_000
WORKLOAD = ["--requests-per-day", "10000", "--tokens", "500"]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("records")
    million = {"prompt_tokens": MILLION, "completion_tokens": MILLION}
    record(
        folder,
        [
            charge(tenant="acme", model="gpt-5", tier="strong", cost_micro_usd=11_250_000,
                   **million),
            charge(tenant="zeta", model="gpt-5-mini", tier="cheap", cost_micro_usd=2_250_000,
                   **million),
            charge(tenant="=2+3", user="<b>", model="gpt-5-mini", tier="cheap", cost_micro_usd=0,
                   saved_micro_usd=2_250_000, cache_level="l1", **million),
        ],
    )  # fmt: skip
    with served_costs(folder) as (_, address):
        yield address


Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs a command with a data folder of its own; what it prints."""
    environ = {"SERVE_APP_DATA_DIR": str(tmp_path / "data"), "SERVE_APP_ADMIN_KEY": "boss",
               "COLUMNS": "200"}  # fmt: skip
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SERVE_APP_RECORDS_URL", raising=False)

    def run(*words: str) -> str:
        app(list(words), standalone_mode=False)
        return capsys.readouterr().out

    return run


def test_the_formula_of_a_month(run: Run) -> None:
    said = run("cost", "estimate", *WORKLOAD, "--model", "gpt-3.5-turbo", "--cache-hits", "0.3")
    assert said.startswith("140.00 USD for 30 days\n")
    assert "without the cache: 200.00 USD" in said
    assert re.search(r"https://\S+, \d{4}-\d\d-\d\d\)", said)
    said = run("cost", "estimate", *WORKLOAD, "--price", "0.001/0.002", "--json")
    assert json.loads(said)["cost_micro_usd"] == 200 * MILLION


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["estimate"], "--model NAME"),
        (["estimate", "--model", "gpt-nobody"], "serve-app prices list"),
        (["estimate", "--price", "cheap"], "0.001/0.002"),
        (["estimate", "--model", "gpt-5", "--cache-hits", "30"], "from 0 to 1"),
        (["report", "--by", "colour"], "hour, day, tenant"),
        (["report", "--since", "soon"], "24h, 7d or 2026-11-01"),
        (["report"], "serve-app up"),
    ],
)
def test_a_wrong_word_is_told_with_the_way_out(run: Run, words: list[str], says: str) -> None:
    with pytest.raises(Failure, match=re.escape(says)):
        run("cost", *words)


def test_a_report_is_a_table_with_bars(run: Run, gateway: str) -> None:
    said = run("cost", "report", "--by", "model", "--url", gateway)
    lines = said.splitlines()
    [dear] = [line for line in lines if line.startswith("gpt-5 ")]
    [cheap] = [line for line in lines if line.startswith("gpt-5-mini ")]
    assert dear.count("█") > 3 * cheap.count("█") > 0
    assert "11.250000" in dear
    assert "2.250000" in cheap.split("█")[0]
    assert lines[-1].split()[:2] == ["total", "3"]


def test_a_report_as_json_csv_and_a_page(run: Run, gateway: str, tmp_path: Path) -> None:
    words = ["report", "--by", "tenant,user", "--url", gateway]
    found = json.loads(run("cost", *words, "--json"))
    assert found["total"]["cost_micro_usd"] == 13_500_000
    rows = list(csv.DictReader(StringIO(run("cost", *words, "--csv"))))
    assert [row["tenant"] for row in rows] == ["acme", "zeta", "'=2+3"]
    assert [row["cost_micro_usd"] for row in rows] == ["11250000", "2250000", "0"]

    page = tmp_path / "costs.html"
    assert run("cost", *words, "--html", str(page)) == ""
    text = page.read_text(encoding="utf-8")
    assert "<b>13.500000 USD</b>" in text
    assert "&lt;b&gt;" in text
    assert not re.search(r"<script|src=|href=|@import|url\(", text)
    picture = ElementTree.fromstring(re.findall(r"<svg.*?</svg>", text, re.DOTALL)[0])
    bars = [int(bar.get("width", "0")) for bar in picture if bar.tag.endswith("rect")]
    assert bars[0] == pytest.approx(5 * bars[1], abs=5)


def test_recorded_traffic_under_other_terms(run: Run, gateway: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "providers:\n  us: {updated: 2026-11-01, source: s, models: "
        "{own: {input: 1_000_000, output: 0}}}\n"
    )
    words = ["estimate", "--from-records", "--url", gateway, "--prices", str(file)]
    terms = ["--model", "gpt-5=gpt-5-mini", "--route", "cheap=own", "--cache-hits", "0.5"]
    found = json.loads(run("cost", *words, *terms, "--json"))
    costs = {name: one["cost_micro_usd"] for name, one in found["what_if"].items()}
    assert found["recorded_micro_usd"] == 13_500_000
    assert costs == {
        "the same at these prices": 13_500_000,
        "model gpt-5=gpt-5-mini": 4_500_000,
        "route cheap=own": 12_250_000,
        "cache hits 50%": (11_250_000 + 2 * 2_250_000) // 2,
        "all of it": (2_250_000 + 2 * 1_000_000) // 2,
    }
    table = run("cost", *words, "--model", "gpt-nobody")
    assert "as recorded" in table
    assert "No price is known for 'gpt-nobody'" in table


def test_a_forecast_without_a_past_is_nothing(run: Run, gateway: str) -> None:
    found = json.loads(run("cost", "forecast", "--tenant", "new", "--url", gateway, "--json"))
    assert (found["cost_micro_usd"], found["high_micro_usd"], found["requests"]) == (0, 0, 0)


def test_prices_have_a_date_and_a_source(run: Run) -> None:
    listed = json.loads(run("prices", "list", "--json"))
    assert len(listed) > 50
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", one["updated"]) and one["source"] for one in listed)


def test_prices_of_today_are_written_only_if_that_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A package of ours stands in for genai-prices, whose prices change with each version."""
    (tmp_path / "genai_prices").mkdir()
    (tmp_path / "genai_prices" / "__init__.py").touch()
    (tmp_path / "genai_prices" / "data_snapshot.py").write_text(PACKAGE)
    info = tmp_path / "genai_prices-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: genai-prices\nVersion: 9.9\n")
    for module in ("genai_prices", "genai_prices.data_snapshot"):
        monkeypatch.setitem(sys.modules, module, ModuleType(module))  # so that it goes again
        del sys.modules[module]
    monkeypatch.syspath_prepend(str(tmp_path))

    file = tmp_path / "data" / "prices.yaml"
    found = json.loads(run("prices", "refresh", "--json"))
    [change] = [one for one in found["changes"] if one["model"] == "gpt-5"]
    assert change["before"] == [1_250_000, 125_000, 10_000_000]
    assert change["after"] == [2_000_000, 1_000_000, 3_000_000]
    assert not file.exists()
    assert "10 3" in run("prices", "refresh", "--write", "gpt-new")
    assert file.exists()
    [gpt] = json.loads(run("prices", "list", "gpt-new", "--json"))
    assert (gpt["input"], gpt["source"]) == (2_000_000, "https://p.example (genai-prices 9.9)")
    assert json.loads(run("prices", "refresh", "--json"))["changes"] == []
    said = run("cost", "estimate", *WORKLOAD, "--model", "gpt-5", "--json")
    assert json.loads(said)["price"]["input_micro_usd_per_million"] == 2_000_000
    with pytest.raises(Failure, match="no price of 'gpt-nobody'"):
        run("prices", "refresh", "gpt-nobody")


PACKAGE = """
from types import SimpleNamespace as Some
from decimal import Decimal

def get_snapshot():
    prices = Some(input_mtok=Some(base=Decimal(2)), output_mtok=Decimal(3),
                  cache_read_mtok=Decimal(1))
    model = Some(get_prices=lambda now: prices)
    maker = Some(id="openai", pricing_urls=["https://p.example"])

    def find(name, provider, provider_id, url):
        if name in ("gpt-5", "gpt-new"):
            return maker, model
        raise LookupError(name)

    return Some(find_provider_model=find)
"""


def test_the_real_package_knows_what_we_ask_it_for() -> None:
    pytest.importorskip("genai_prices")
    from datetime import UTC, datetime

    from serve_app.accounting.prices import PriceList
    from serve_app.cli.prices_fresh import fresh
    from serve_app.config.shipped import shipped

    known = PriceList.load(shipped("prices.yaml")).listed
    found = fresh(known, (), datetime(2026, 11, 26, tzinfo=UTC))
    assert len(found) > len(known) // 2
    assert found["gpt-5"].price.input == 1_250_000


def test_records_are_looked_at_and_migrated(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(run("records", "status", "--json"))["version"] == ""
    assert "nothing before" in run("records", "migrate")
    assert json.loads(run("records", "status", "--json"))["charges"] == 0
    url = "postgresql+psycopg://u:secret@127.0.0.1:1/d"
    monkeypatch.setenv("SERVE_APP_RECORDS_URL", url)
    with pytest.raises(Failure, match="cannot be used") as told:
        run("records", "status")
    assert "secret" not in told.value.message
