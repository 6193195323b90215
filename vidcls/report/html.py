"""A template and its content -> the text of a page."""

from __future__ import annotations

from collections.abc import Mapping


def rendered(template: str, content: Mapping[str, object]) -> str:
    """The page; what names and messages say comes out as text, never as markup."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from vidcls import __version__
    from vidcls.report.links import file_name

    environment = Environment(
        loader=PackageLoader("vidcls.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["file_name"] = file_name
    environment.filters["percent"] = lambda value: "–" if value is None else f"{100 * value:.1f}"
    return environment.get_template(template).render({"version": __version__, **content})
