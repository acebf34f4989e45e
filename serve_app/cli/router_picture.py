"""The cost-quality curves of routers as pictures: signs for a terminal, SVG for a page."""

from __future__ import annotations

from typing import NamedTuple

from serve_app.routing.learned.curve import Curve
from serve_app.routing.learned.evaluation import Evaluation

_COLUMNS = 61
_ROWS = 17
_WIDTH, _HEIGHT = 720, 440
_LEFT, _TOP, _RIGHT, _BOTTOM = 70, 20, 130, 50
_STEPS = 100
_GRID = 5


class _Line(NamedTuple):
    """One curve and how it looks."""

    name: str
    curve: Curve
    sign: str
    colour: str


def picture(evaluation: Evaluation) -> str:
    """The curves in signs: accuracy upwards, share of strong calls to the right."""
    lines, (low, high) = _lines(evaluation), _range(evaluation)
    cells = [[" "] * _COLUMNS for _ in range(_ROWS)]
    for line in lines:  # what is drawn last lies on top
        for column in range(_COLUMNS):
            height = (line.curve.accuracy(column / (_COLUMNS - 1)) - low) / (high - low)
            cells[round((1 - height) * (_ROWS - 1))][column] = line.sign
    labels = {0: f"{high:.1%}", _ROWS - 1: f"{low:.1%}"}
    rows = [f"{labels.get(i, ''):>6} |{''.join(row).rstrip()}" for i, row in enumerate(cells)]
    rows.append(f"{'':6} +{'-' * _COLUMNS}")
    rows.append(f"{'':8}0%{'share to the strong model':^{_COLUMNS - 6}}100%")
    return "\n".join([*rows, f"{'':8}" + "   ".join(f"{x.sign} {x.name}" for x in reversed(lines))])


def svg(evaluation: Evaluation) -> str:
    """The curves as a picture of their own."""
    lines, (low, high) = _lines(evaluation), _range(evaluation)
    body = [*_axes(low, high)]
    for number, line in enumerate(reversed(lines)):
        points = " ".join(
            f"{_x(step / _STEPS):.1f},{_y(line.curve.accuracy(step / _STEPS), low, high):.1f}"
            for step in range(_STEPS + 1)
        )
        body.append(f'<polyline points="{points}" fill="none" stroke="{line.colour}"/>')
        body.append(_text(_WIDTH - _RIGHT + 12, _TOP + 14 + 20 * number, line.name, line.colour))
    inside = "\n".join(body)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="13" stroke-width="2">\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>\n{inside}\n</svg>\n'
    )


def _lines(evaluation: Evaluation) -> list[_Line]:
    """From the one that matters least to the one that matters most."""
    rule, learned = evaluation.rule, evaluation.learned
    name, rule_name = (
        f"learned {0 if learned is None else learned.area:.3f}",
        f"rule {rule.area:.3f}",
    )
    lines = [
        _Line("oracle 1", evaluation.oracle, "^", "#2e8b57"),
        _Line("random 0", evaluation.random, ".", "#888888"),
        _Line(rule_name, rule.curve, "o", "#d2691e"),
    ]
    if learned is not None:
        lines.append(_Line(name, learned.curve, "#", "#1f5fbf"))
    return lines


def _range(evaluation: Evaluation) -> tuple[float, float]:
    """Lowest and highest accuracy of any curve, never equal."""
    curves = [line.curve.accuracies for line in _lines(evaluation)]
    low, high = min(float(c.min()) for c in curves), max(float(c.max()) for c in curves)
    return (low, high) if high > low else (low - 0.005, high + 0.005)


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(accuracy: float, low: float, high: float) -> float:
    return _TOP + (high - accuracy) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)


def _axes(low: float, high: float) -> list[str]:
    drawn = []
    for step in range(_GRID + 1):
        part = step / _GRID
        accuracy = low + part * (high - low)
        x, y = _x(part), _y(accuracy, low, high)
        drawn += [
            f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd" stroke-width="1"/>',
            _text(_LEFT - 8, y + 4, f"{accuracy:.1%}", "#333", "end"),
            _text(x, _HEIGHT - _BOTTOM + 18, f"{part:.0%}", "#333", "middle"),
        ]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return [*drawn, _text(middle, _HEIGHT - 10, "share to the strong model", "#333", "middle")]


def _text(x: float, y: float, text: str, colour: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{text}</text>'
