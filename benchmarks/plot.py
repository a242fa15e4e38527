"""The plot: what a phase costs against how many there are, for every side, as SVG that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from report import Cells

__all__ = ["plot"]

WIDTH, HEIGHT = 330, 300
LEFT, TOP, RIGHT, BOTTOM = 46, 34, 16, 40
COLORS = {
    "milo_plain": "#0b6e4f",
    "milo_dressed": "#58a886",
    "bare_threads": "#333333",
    "bare_workers": "#888888",
    "bare_inline": "#bbbbbb",
    "dask_threaded": "#d1495b",
    "doit_threads": "#8d5a97",
    "hamilton_driver": "#e09f3e",
    "luigi_local": "#3d6fb6",
    "prefect_flow": "#5b8ff9",
}
Y_LEAST, Y_MOST = 0.3, 20_000.0
X_LEAST, X_MOST = 1_000.0, 1_000_000.0


def plot(cells: Cells, shapes: Sequence[str]) -> str:
    """One panel a shape, both axes logarithmic, and a legend below."""
    width, height = WIDTH * len(shapes), HEIGHT + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11" role="img">',
        "<title>Microseconds a phase against the number of phases</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
    ]
    for place, shape in enumerate(shapes):
        parts.append(f'<g transform="translate({place * WIDTH} 0)">{_panel(cells, shape)}</g>')
    parts += [_legend(cells, width), "</svg>"]
    return "\n".join(parts) + "\n"


def _panel(cells: Cells, shape: str) -> str:
    parts = [
        f'<text x="{LEFT}" y="20" font-size="13" font-weight="bold" fill="#222222">{escape(shape)}</text>'
    ]
    for power in range(5):
        y = _y(10.0**power)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#e5e5e5"/>')
        parts.append(
            f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end" fill="#555555">{10**power:,}</text>'
        )
    for power, said in ((3, "1,000"), (4, "10,000"), (5, "100,000"), (6, "1 M")):
        x = _x(10.0**power)
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle" fill="#555555">{said}</text>'
        )
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle" fill="#555555">phases</text>'
    )
    for side, color in COLORS.items():
        points = sorted(
            (n, cell["run_us"])
            for (s, sh, n), cell in cells.items()
            if (s, sh) == (side, shape) and "run_us" in cell
        )
        parts.append(_line(side, points, color))
    return "".join(parts)


def _line(side: str, points: list[tuple[int, float]], color: str) -> str:
    if not points:
        return ""
    path = " ".join(
        f"{'M' if not place else 'L'}{_x(n):.1f} {_y(us):.1f}" for place, (n, us) in enumerate(points)
    )
    thick = 2.6 if side.startswith("milo") else 1.5
    dots = "".join(
        f'<circle cx="{_x(n):.1f}" cy="{_y(us):.1f}" r="{thick}" fill="{color}"/>' for n, us in points
    )
    return f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{thick}"/>{dots}'


def _legend(cells: Cells, width: int) -> str:
    shown = [
        side for side in COLORS if any(key[0] == side and "run_us" in cell for key, cell in cells.items())
    ]
    across = max(1, width // 160)
    parts = []
    for place, side in enumerate(shown):
        x, y = 16 + (place % across) * 160, HEIGHT + 14 + 16 * (place // across)
        parts.append(f'<path d="M{x} {y - 4}h18" stroke="{COLORS[side]}" stroke-width="3"/>')
        parts.append(f'<text x="{x + 24}" y="{y}" fill="#222222">{escape(side.replace("_", " "))}</text>')
    said = "microseconds a phase; what ends early took longer than 5 s"
    parts.append(f'<text x="{width - 14}" y="20" text-anchor="end" fill="#555555">{said}</text>')
    return "".join(parts)


def _x(count: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(count / X_LEAST) / math.log(X_MOST / X_LEAST)


def _y(us: float) -> float:
    share = math.log(min(max(us, Y_LEAST), Y_MOST) / Y_LEAST) / math.log(Y_MOST / Y_LEAST)
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
