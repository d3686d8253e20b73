"""What models cost. A model that is in no table has no known price, and none is guessed."""

from __future__ import annotations

import datetime
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tracelift_groups.assets import asset
from tracelift_groups.errors import UserError
from tracelift_groups.llm.request import Usage
from tracelift_groups.llm.settings import ModelSettings


class Price(BaseModel):
    """US dollars for a million tokens of a model; ``batch`` is the Batch API's share of that."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    batch: float = Field(default=1.0, gt=0, le=1)
    source: str = ""
    date: datetime.date | None = None

    def of(self, usage: Usage, *, batch: bool = False) -> float | None:
        """Return the price of a call in US dollars, or None where its tokens are not known."""
        if usage.input_tokens is None or usage.output_tokens is None:
            return None
        dollars = (self.input * usage.input_tokens + self.output * usage.output_tokens) / 1e6
        return dollars * self.batch if batch else dollars


class PriceFile(BaseModel):
    """A file of prices, by the exact name of the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: dict[str, Price]


def read_prices(path: Path) -> dict[str, Price]:
    """Read a file of prices.

    Raises:
        UserError: There is no such file, or it is not one; the message names the field.
    """
    way_out = "see data/prices.yaml for the format"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return PriceFile.model_validate(content).models
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", where=str(path)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise UserError(f"no YAML ({problem})", where=str(path), way_out=way_out) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{field}: {first['msg']}", where=str(path), way_out=way_out) from error


def prices_for(settings: ModelSettings) -> dict[str, Price]:
    """The prices that hold at an endpoint: the user's, before the shipped ones of OpenAI's own."""
    shipped = read_prices(asset("data", "prices.yaml")) if settings.is_openai else {}
    return shipped | (read_prices(settings.prices) if settings.prices else {})
