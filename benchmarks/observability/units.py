"""Values as people read them, in the units of our dashboards, as Grafana writes them."""

from __future__ import annotations

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")
_SHORT = ("", " K", " Mil", " Bil")


def text(value: float, unit: str, decimals: int | None = None) -> str:
    """
    Args:
        unit: a Grafana unit: `s`, `percentunit`, `currencyUSD`, `reqps`, `bytes`, `suffix:...`;
            else a count.
        decimals: digits behind the point; as many as it takes otherwise.
    """
    if unit == "percentunit":
        return f"{_digits(value * 100, decimals)}%"
    if unit == "currencyUSD":
        return f"${_scaled(value, 1000, _SHORT, decimals)}"
    if unit == "s":
        return _seconds(value)
    if unit.startswith("suffix:"):
        return _digits(value, decimals) + unit.removeprefix("suffix:")
    if unit == "bytes":
        return _scaled(value, 1024, tuple(f" {name}" for name in _BINARY), decimals)
    return _scaled(value, 1000, _SHORT, decimals) + (" req/s" if unit == "reqps" else "")


def _seconds(value: float) -> str:
    if value == 0:
        return "0 s"
    if value < 1e-3:
        return f"{_digits(value * 1e6)} µs"
    if value < 1:
        return f"{_digits(value * 1e3)} ms"
    return f"{_digits(value)} s" if value < 60 else f"{_digits(value / 60)} min"


def _scaled(value: float, base: int, names: tuple[str, ...], decimals: int | None) -> str:
    step = 0
    while abs(value) >= base and step < len(names) - 1:
        value, step = value / base, step + 1
    return _digits(value, decimals) + names[step]


def _digits(value: float, decimals: int | None = None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    shown = f"{value:.3g}"
    return f"{value:.0f}" if "e" in shown and abs(value) >= 1 else shown
