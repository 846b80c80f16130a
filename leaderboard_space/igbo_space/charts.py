"""Drawings as SVG in the colours of the page: a scatter of ranks, and curves over pool sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from igbo_align.report.markup import Html, element, joined

_LEFT, _TOP, _SIZE = 44, 12, 380
_WIDE = 460


@dataclass(frozen=True)
class Point:
    """A query: expected ranks with the first and the second system, and the name of its pair."""

    first: float
    second: float
    name: str


def scatter(points: Sequence[Point], first: str, second: str, highest: float) -> Html:
    """Ranks of every query with two systems, both axes logarithmic; on the diagonal both are equally good."""
    span = math.log10(max(highest, 2))

    def place(rank: float) -> float:
        return _SIZE * math.log10(rank) / span

    marks = []
    for point in points:
        x, y = _LEFT + place(point.first), _TOP + _SIZE - place(point.second)
        style = "same" if point.first == point.second else "first" if point.first < point.second else "second"
        told = f"{point.name}: rank {point.first:g} with {first}, {point.second:g} with {second}"
        marks.append(_mark(style, x, y, told))
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if tick <= highest]
    lines = [_grid(tick, place(tick)) for tick in ticks]
    end_x, end_y = _LEFT + _SIZE, _TOP
    diagonal = f'<line class="diagonal" x1="{_LEFT}" y1="{_TOP + _SIZE}" x2="{end_x}" y2="{end_y}"/>'
    names = joined(
        element("text", f"rank with {first}", x=f"{_LEFT + _SIZE / 2}", y=f"{_TOP + _SIZE + 36}", class_="axis-name"),
        element(
            "text",
            f"rank with {second}",
            x="0",
            y="0",
            class_="axis-name",
            transform=f"translate(11 {_TOP + _SIZE / 2}) rotate(-90)",
        ),
    )
    body = f"{''.join(lines)}{diagonal}{''.join(marks)}{names}"
    label = f"Scatter of {len(points)} queries: rank with {first} against rank with {second}"
    return _svg(body, _LEFT + _SIZE + 12, _TOP + _SIZE + 46, label)


def _mark(style: str, x: float, y: float, told: str) -> Html:
    """Circles and squares, so that the sides differ in shape too."""
    title = element("title", told)
    if style == "second":
        return element("rect", title, x=f"{x - 3:.1f}", y=f"{y - 3:.1f}", width="6", height="6", class_=f"mark-{style}")
    return element("circle", title, cx=f"{x:.1f}", cy=f"{y:.1f}", r="3.2", class_=f"mark-{style}")


def _grid(tick: int, place: float) -> str:
    x, y = _LEFT + place, _TOP + _SIZE - place
    bottom, right = _TOP + _SIZE, _LEFT + _SIZE
    return (
        f'<line class="grid" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}"/>'
        f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick}</text>'
        f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick}</text>'
    )


def pool_curve(points: Sequence[Mapping[str, Any]], title: str) -> Html:
    """Expected recalls and MRR at every pool size, with their intervals; thin lines are chance."""
    sizes = [point["pool"] for point in points]
    span, start = math.log(sizes[-1] / sizes[0]) or 1.0, math.log(sizes[0])
    width, height = _WIDE - _LEFT - 82, 240

    def x(size: float) -> float:
        return _LEFT + width * (math.log(size) - start) / span

    def y(value: float) -> float:
        return _TOP + height * (1 - value)

    body = [_level(value, x(sizes[0]), x(sizes[-1]), y(value)) for value in (0, 0.25, 0.5, 0.75, 1)]
    body += [
        f'<text class="tick" x="{x(n):.1f}" y="{_TOP + height + 16}" text-anchor="middle">{n}</text>' for n in sizes
    ]
    ends = []
    for i, (name, shown) in enumerate(
        (("recall@10", "R@10"), ("recall@5", "R@5"), ("mrr", "MRR"), ("recall@1", "R@1"))
    ):
        held = [point[name] for point in points]
        upper = [(x(n), y(item["high"])) for n, item in zip(sizes, held, strict=True)]
        lower = [(x(n), y(item["low"])) for n, item in zip(sizes, held, strict=True)]
        middle = [(x(n), y(item["value"])) for n, item in zip(sizes, held, strict=True)]
        chance = [(x(n), y(item["chance"])) for n, item in zip(sizes, held, strict=True)]
        body.append(f'<polygon class="band line-{i}" points="{_path([*upper, *lower[::-1]])}"/>')
        body.append(f'<polyline class="curve line-{i}" points="{_path(middle)}"/>')
        body.append(f'<polyline class="curve-chance line-{i}" points="{_path(chance)}"/>')
        ends.append([middle[-1][1], f"{shown} {held[-1]['value']:.2f}", i])
    body += _names_of_curves(ends, x(sizes[-1]) + 8)
    axis = element(
        "text", "candidates in the pool", x=f"{_LEFT + width / 2}", y=f"{_TOP + height + 34}", class_="axis-name"
    )
    return _svg("".join(body) + axis, _WIDE, _TOP + height + 42, title)


def _level(value: float, left: float, right: float, y: float) -> str:
    return (
        f'<line class="grid" x1="{left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    )


def _names_of_curves(ends: list[list[Any]], x: float) -> list[str]:
    """Names at the ends of the curves, moved apart where they would cover each other."""
    ends.sort()
    for before, after in pairwise(ends):
        after[0] = max(after[0], before[0] + 15)
    overflow = max(0.0, ends[-1][0] - (_TOP + 240))
    return [
        f'<text class="curve-name line-{i}" x="{x:.1f}" y="{y - overflow + 4:.1f}">{text}</text>' for y, text, i in ends
    ]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _svg(body: str, width: float, height: float, label: str) -> Html:
    return element("svg", Html(body), viewBox=f"0 0 {width:g} {height:g}", class_="chart", role="img", aria_label=label)
