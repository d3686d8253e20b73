"""The dataset card of a run, from its manifest alone."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tracelift_groups.assets import asset
from tracelift_groups.perturb.template import load_templates

# What the sources' own texts are under, as the Hub names it; of a user's file we know nothing.
_LICENSES = {
    "gsm8k": "mit",
    "gsm-symbolic": "apache-2.0",
    "opencodereasoning": "cc-by-4.0",
    "sample": "apache-2.0",
    "sample-code": "apache-2.0",
}


def render_card(manifest: dict[str, Any]) -> str:
    """Render ``data/card.md.jinja`` for a run."""
    environment = Environment(
        loader=FileSystemLoader(asset("data")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown, not HTML
        keep_trailing_newline=True,
    )
    templates = {template.id: template for template in load_templates(manifest["build"]["domain"])}
    return environment.get_template("card.md.jinja").render(
        **manifest, templates=templates, license=_LICENSES.get(_source(manifest), "other")
    )


def _source(manifest: dict[str, Any]) -> str:
    return str(manifest["build"]["source"]["name"])
