"""Charts as SVG, drawn here: the pages need no script for them, and none from elsewhere."""

from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT, _FOOT = 360, 140, 20


def bars(
    title: str, values: Sequence[float], labels: Sequence[str], unit: str = "", every: int = 1
) -> Markup:
    """Return one bar a value, every so-manieth labelled; the table behind it is for who hears."""
    top = max([*values, 1])
    step = _WIDTH / max(len(values), 1)
    drawn = Markup("").join(
        Markup(
            '<g><title>{}: {}</title><rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" '
            'height="{:.1f}" rx="3"/></g>'
        ).format(
            label,
            _said(value, unit),
            "bar" if value else "none",
            number * step + step * 0.12,
            _y(value or top / 60, top),
            step * 0.76,
            _HEIGHT - _FOOT - _y(value or top / 60, top),
        )
        for number, (value, label) in enumerate(zip(values, labels, strict=True))
    )
    under = Markup("").join(
        Markup('<text x="{:.1f}" y="{}">{}</text>').format(
            number * step + step / 2, _HEIGHT - 4, label
        )
        for number, label in enumerate(labels)
        if number % every == 0
    )
    return _chart(title, drawn + under, _summed(values, labels, unit))


def _chart(title: str, drawn: Markup, summed: str) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(_WIDTH, _HEIGHT, f"{title}: {summed}", drawn)


def _y(value: float, top: float) -> float:
    return 6 + (_HEIGHT - _FOOT - 6) * (1 - value / top)


def _said(value: float, unit: str) -> str:
    return f"{unit} {value:,.0f}".strip()


def _summed(values: Sequence[float], labels: Sequence[str], unit: str) -> str:
    """Return in words what the chart shows at a glance."""
    if not any(values):
        return "nothing yet"
    most = max(range(len(values)), key=values.__getitem__)
    total = _said(sum(values), unit)
    return f"{total} in all, the most at {labels[most]} with {_said(values[most], unit)}"
