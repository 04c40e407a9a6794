"""Numbers as they are printed."""

from collections.abc import Sequence
from typing import Any


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the sorted values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95 and p99 in milliseconds."""
    return {
        "p50_ms": round(quantile(seconds, 0.5) * 1000, 2),
        "p95_ms": round(quantile(seconds, 0.95) * 1000, 2),
        "p99_ms": round(quantile(seconds, 0.99) * 1000, 2),
    }


def compared(ours: Sequence[float], bare: Sequence[float]) -> dict[str, Any]:
    """Return both spreads and their ratios."""
    mine, limit = spread(ours), spread(bare)
    ratio = {name.split("_")[0]: round(mine[name] / limit[name], 2) for name in mine}
    return {"ours": mine, "bare": limit, "ratio": ratio}
