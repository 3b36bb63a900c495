"""Render a page from templates that escape every value; the page loads nothing and runs no script."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from harvest import charts
from harvest.counts_as_text import count
from harvest.html_report import number_format

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = "harvest.html_report"
_SKELETON, _STYLE = "skeleton.html", "page.css"
# Characters that reverse, end or hide a line, or are not text. Names of files may contain all of them.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)


def load_templates(package: str, names: tuple[str, ...], *, styles: tuple[str, ...] = ()) -> Environment:
    """Return the templates of a report, which extend `skeleton.html`; an undefined name is an error."""
    files = {name: _read(package, name) for name in names}
    environment = Environment(
        loader=DictLoader({_SKELETON: _read(_HERE, _SKELETON), **files}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": number_format.percent,
        "count": count,
        "of": number_format.count_of,
        "duration": number_format.duration,
        "setting": number_format.setting,
    }
    css = "\n".join([_read(_HERE, _STYLE), *(_read(package, name) for name in styles)])
    environment.globals |= {
        "meter": charts.meter,
        "bar": charts.bar,
        "css": Markup(css),  # noqa: S704 - part of the package
    }
    return environment


def render_page(templates: Environment, name: str, values: Mapping[str, object]) -> str:
    """Return a page, without characters that reverse, end or hide a line."""
    text = templates.get_template(name).render(values)
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text).strip() + "\n"


def _read(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text("utf-8")
