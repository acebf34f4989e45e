"""Served against wrong over the threshold, with the guards and without, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from serve_app.cache.semantic.evaluation import (
    THRESHOLDS,
    Judged,
    Shares,
    at_threshold,
    shares,
)

_WIDTH, _HEIGHT = 720, 440
_LEFT, _TOP, _RIGHT, _BOTTOM = 60, 30, 190, 50
_GRID = 5
_MARKED = (0.85, 0.95)


def svg(judged: Sequence[Judged]) -> str:
    """The picture: wrong to the right, served upwards."""
    lines = (
        (
            "plain threshold",
            "#d2691e",
            [at_threshold(judged, t, guarded=False) for t in THRESHOLDS],
        ),
        ("with the guards", "#1f5fbf", [at_threshold(judged, t, guarded=True) for t in THRESHOLDS]),
    )
    body = _axes()
    for number, (name, colour, points) in enumerate(lines):
        drawn = " ".join(f"{_x(point):.1f},{_y(point):.1f}" for point in points)
        body.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}"/>')
        body.append(_text(_WIDTH - _RIGHT + 12, _TOP + 14 + 20 * number, name, colour))
    for threshold in _MARKED:
        at = at_threshold(judged, threshold, guarded=False)
        body.append(_dot(at, "#d2691e"))
        body.append(_text(_x(at) + 8, _y(at) + 14, f"{threshold:.2f}", "#d2691e"))
    found = shares(judged)
    body.append(_dot(found, "#2e8b57"))
    label = f"this cache: {found.served:.0%}, {found.wrong:.1%}"
    body.append(_text(_WIDTH - _RIGHT + 12, _TOP + 54, label, "#2e8b57"))
    inside = "\n".join(body)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="13" stroke-width="2">\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>\n{inside}\n</svg>\n'
    )


def _x(point: Shares) -> float:
    return _LEFT + point.wrong * (_WIDTH - _LEFT - _RIGHT)


def _y(point: Shares) -> float:
    return _TOP + (1 - point.served) * (_HEIGHT - _TOP - _BOTTOM)


def _axes() -> list[str]:
    drawn = []
    for step in range(_GRID + 1):
        part = step / _GRID
        at = Shares(part, part)
        drawn += [
            f'<path d="M{_LEFT} {_y(at):.1f}H{_WIDTH - _RIGHT}" stroke="#ddd" stroke-width="1"/>',
            _text(_LEFT - 8, _y(at) + 4, f"{part:.0%}", "#333", "end"),
            _text(_x(at), _HEIGHT - _BOTTOM + 18, f"{part:.0%}", "#333", "middle"),
        ]
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return [
        *drawn,
        _text(middle, _HEIGHT - 10, "traps answered wrongly", "#333", "middle"),
        _text(_LEFT, _TOP - 12, "pairs with the same answer served", "#333"),
    ]


def _dot(at: Shares, colour: str) -> str:
    return f'<circle cx="{_x(at):.1f}" cy="{_y(at):.1f}" r="5" fill="{colour}"/>'


def _text(x: float, y: float, text: str, colour: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{text}</text>'
