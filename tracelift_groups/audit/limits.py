"""The limits of an audit: ``data/audit.yaml`` or a file like it."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ConfigDict, Field

from tracelift_groups.assets import asset
from tracelift_groups.errors import UserError
from tracelift_groups.recipes import Section, validated


class DomainLimits(Section):
    """Most that a probe may reach before it fails; 0.5 is chance, either side counts alike."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    overall: dict[str, float]
    by_kind: dict[str, float] = Field(default={})
    excepted: dict[str, dict[str, str]] = Field(default={}, alias="except")
    """Probe -> kind -> why it may find that kind."""


def load_limits(path: Path | None = None) -> dict[str, DomainLimits]:
    """Read limits by domain, the shipped ones or a file's.

    Raises:
        UserError: No such file, or not of that form.
    """
    place = path or asset("data", "audit.yaml")
    try:
        raw = yaml.safe_load(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"no such file ({error.strerror})", where=str(place)) from error
    except yaml.YAMLError as error:
        raise UserError(f"not YAML: {error}", where=str(place)) from error
    if not isinstance(raw, dict):
        raise UserError("limits are a mapping of domains", where=str(place))
    return {
        str(domain): validated(DomainLimits, values, f"{place}: {domain}")
        for domain, values in raw.items()
    }
