"""The pages' templates, and how they write values."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from bigfast.report.canvas import Drawing
from bigfast.report.results import size_of, snippet
from bigfast.report.units import duration, interval, limit, mib, ms, percent, plain


def render(template: str, **values: object) -> str:
    """A page: nothing in it is fetched from anywhere, and nothing in it runs."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: (files("bigfast.report") / name).read_text(encoding="utf-8")),
    )
    environment.filters.update(
        duration=duration,
        interval=interval,
        limit=limit,
        mib=mib,
        ms=ms,
        percent=percent,
        plain=plain,
        size=size_of,
        snippet=snippet,
    )
    return environment.get_template(template).render(**values)


def shown(drawing: Drawing) -> tuple[Markup, str]:
    """A drawing and its caption, as a template takes them."""
    # Safe as markup: ElementTree has escaped every text in it.
    return Markup(drawing.svg), drawing.caption
