"""What a basket earns: points once a purchase, allotted to its lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from local.demo.baskets import GOODS, SERVICE, Line

STEP = 1_000  # rupiah a point


def points_of(lines: Sequence[Line], unearning: int, basis_points: int) -> dict[str, int]:
    """Give the points of each line; `unearning` is what points and excluded tenders paid, rupiah."""
    without = largest_remainder(unearning, [line.net for line in lines])
    bases = [
        line.net - share if line.product.kind in (GOODS, SERVICE) else 0
        for line, share in zip(lines, without, strict=True)
    ]
    points = sum(bases) * basis_points // (10_000 * STEP)
    allotted = largest_remainder(points, bases)
    return {line.line_id: share for line, share in zip(lines, allotted, strict=True)}


def largest_remainder(whole: int, weights: Iterable[int]) -> list[int]:
    """Split a whole by weights: floors, then one unit each to the largest remainders, ties by order."""
    weights = list(weights)
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    parts = [whole * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: -(whole * weights[at] % total))
    for position in by_remainder[: whole - sum(parts)]:
        parts[position] += 1
    return parts
