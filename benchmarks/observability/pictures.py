"""One picture per dashboard: its own queries, answered by a real Prometheus over a made-up day."""

from __future__ import annotations

import subprocess
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from benchmarks.observability import draw
from benchmarks.observability.answers import Span, answers, given
from benchmarks.observability.places import DASHBOARDS, PICTURES
from benchmarks.observability.prometheus import Prometheus, program, running
from benchmarks.observability.queries import panels
from benchmarks.observability.recording import Recorder
from benchmarks.observability.recording import lines as sample_lines

_END = 1_780_336_800.0
"""1 June 2026, 18:00 UTC: always the same, so that only what changed changes the pictures."""
_SPAN = Span(_END - 6 * 3600, _END, 60.0, "4m")
_COLUMNS, _WIDTH_PX, _ROW_PX, _HEAD_PX = 24, 1500, 33, 54
_DPI = 100
_GAP_PX = 4


def draw_all() -> list[Path]:
    """Draw each dashboard to its file."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    mpl.rcParams["font.family"] = "DejaVu Sans"
    with tempfile.TemporaryDirectory(prefix="serve-app-dashboards-") as name:
        folder = Path(name)
        _record(folder)
        config = folder / "prometheus.yaml"
        config.write_text("scrape_configs: []\n", encoding="utf-8")
        with running(config, folder) as server:
            return [_draw(server, path) for path in sorted(DASHBOARDS.glob("*.json"))]


def _record(folder: Path) -> None:
    """Put the made-up day into a Prometheus' data: a minute a sample in its last hours."""
    minutes = [float(minute) for minute in (*range(-1450, -400, 10), *range(-400, 1))]
    told = folder / "day.txt"
    with told.open("w", encoding="utf-8") as out:
        for moment in Recorder().play(minutes):
            out.writelines(sample_lines(moment.series, _END + moment.t * 60))
        out.write("# EOF\n")
    blocks = [program("promtool"), "tsdb", "create-blocks-from", "--max-block-duration=24h"]
    subprocess.run(
        [*blocks, "openmetrics", str(told), str(folder / "data")], check=True, capture_output=True
    )
    told.unlink()


def _draw(server: Prometheus, dashboard: Path) -> Path:
    shown = panels(dashboard)
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in shown)
    height = _HEAD_PX + rows * _ROW_PX + 8
    figure = Figure(figsize=(_WIDTH_PX / _DPI, height / _DPI), dpi=_DPI, facecolor=draw.PAGE)
    _head(figure, dashboard, height)
    variables = given(server, dashboard, _SPAN)
    for panel in shown:
        axes = _panel(figure, panel, height)
        if axes is not None:
            lines = answers(server, panel, variables, _SPAN)
            draw.KINDS[panel["type"]](axes, panel, lines, _SPAN)
    path = PICTURES / f"dashboard-{dashboard.stem}.png"
    _save(figure, path)
    return path


def _head(figure: Figure, dashboard: Path, height: float) -> None:
    title = f"serve-app: {dashboard.stem.replace('-', ' ')}"
    up = 1 - _HEAD_PX / 2 / height
    figure.text(0.008, up, title, color=draw.WORDS, fontsize=13, va="center")
    when = "Last 6 hours of a made-up day"
    figure.text(0.992, up, when, color=draw.FAINT, fontsize=9, va="center", ha="right")


def _panel(figure: Figure, panel: dict[str, Any], height: float) -> Axes | None:
    """A panel's frame and title, and where to draw what it shows; a row has nothing more."""
    place = panel["gridPos"]
    left = place["x"] / _COLUMNS
    width = place["w"] / _COLUMNS
    top = 1 - (_HEAD_PX + place["y"] * _ROW_PX) / height
    tall = place["h"] * _ROW_PX / height
    if panel["type"] == "row":
        title = f"⌄  {panel['title']}"
        figure.text(0.008, top - tall / 2, title, color=draw.WORDS, fontsize=10, va="center")
        return None
    gap_x, gap_y = _GAP_PX / _WIDTH_PX, _GAP_PX / height
    if panel["type"] != "text":
        box = Rectangle(
            (left + gap_x, top - tall + gap_y),
            width - 2 * gap_x,
            tall - 2 * gap_y,
            facecolor=draw.PANEL,
            edgecolor=draw.EDGE,
            lw=0.8,
            transform=figure.transFigure,
            zorder=-1,
        )
        figure.add_artist(box)
        figure.text(left + 12 / _WIDTH_PX, top - 17 / height, panel["title"],
                    color=draw.WORDS, fontsize=8.5, va="center")  # fmt: skip
    inside = _inside(panel["type"], left, width, top, tall, height)
    axes: Axes = figure.add_axes(inside, facecolor="none")
    return axes


_MARGINS = {
    "stat": (8, 8, 30, 8),
    "timeseries": (62, 20, 34, 66),
    "bargauge": (10, 10, 34, 12),
    "state-timeline": (165, 20, 34, 26),
    "text": (12, 12, 4, 4),
}
"""Left, right, top and bottom of what is drawn in a panel, in pixels."""


def _inside(
    kind: str, left: float, width: float, top: float, tall: float, height: float
) -> tuple[float, float, float, float]:
    before, after, above, below = _MARGINS[kind]
    return (
        left + before / _WIDTH_PX,
        top - tall + below / height,
        width - (before + after) / _WIDTH_PX,
        tall - (above + below) / height,
    )


def _save(figure: Figure, path: Path) -> None:
    """As a PNG of few colours, which is a third of the size."""
    drawn = BytesIO()
    figure.savefig(drawn, dpi=_DPI, facecolor=figure.get_facecolor())
    with Image.open(drawn) as image:
        image.convert("RGB").quantize(96, dither=Image.Dither.NONE).save(path, optimize=True)
