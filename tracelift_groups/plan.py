"""How a build makes its groups: which engine, which references, which labels, which models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tracelift_groups.errors import UserError
from tracelift_groups.llm.request import Api, Request

EngineName = Literal["rule", "llm", "auto"]
ReferenceName = Literal["gold", "generate"]
RubricName = Literal["template", "judge"]


@dataclass(frozen=True)
class Plan:
    """What the groups depend on besides the seeds; a build with the same plan gives the same.

    Attributes:
        engine: Who makes twins and flaws: rules, a model, or rules where they certify and a
            model elsewhere.
        reference: The source's own reasoning, or one that a model writes and a verifier confirms.
        rubric: Labels from the templates, or from judges.
        model: The model that writes; None where none is asked.
        api: How it is asked.
        temperature: At which it writes, 0 to 2. Judges are asked at 0, or at 0.7 for several
            samples.
        max_tokens: Most tokens of a reply.
        samples: References to ask for before a seed is given up.
        judges: Models that judge; the writing model where none is named.
        judge_samples: Judgements of each judge for a trace.
    """

    engine: EngineName = "rule"
    reference: ReferenceName = "gold"
    rubric: RubricName = "template"
    model: str | None = None
    api: Api = "chat"
    temperature: float = 0.7
    max_tokens: int = 4096
    samples: int = 4
    judges: tuple[str, ...] = ()
    judge_samples: int = 1

    def __post_init__(self) -> None:
        """Check that a model is named where one is needed.

        Raises:
            UserError: None is, or one is that nothing would ask.
        """
        if self.asks and self.model is None:
            asking = next(name for name, asks in self._asking.items() if asks)
            raise UserError(f"{asking} asks a model", way_out="name one with --model")
        if self.model is not None and not self.asks:
            raise UserError(
                "no model is asked by this build",
                where="--model",
                way_out="add --engine llm (or auto), --reference generate or --rubric judge",
            )

    @property
    def _asking(self) -> dict[str, bool]:
        return {
            f"--engine {self.engine}": self.engine != "rule",
            "--reference generate": self.reference == "generate",
            "--rubric judge": self.rubric == "judge",
        }

    @property
    def asks(self) -> bool:
        """Whether a model is asked at all."""
        return any(self._asking.values())

    @property
    def author(self) -> str:
        """Who wrote what the model writes: its name."""
        assert self.model is not None
        return self.model

    @property
    def judge(self) -> str:
        """The model that judges pairs."""
        return self.judges[0] if self.judges else self.author

    def request(self, task: str, prompt: str, sample: int = 0) -> Request:
        """A request to the model that writes."""
        return Request(
            task=task,
            model=self.author,
            prompt=prompt,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            sample=sample,
            api=self.api,
        )

    def judge_request(
        self, task: str, prompt: str, judge: str | None = None, sample: int = 0
    ) -> Request:
        """A request to a model that judges."""
        return Request(
            task=task,
            model=judge or self.judge,
            prompt=prompt,
            temperature=0.7 if self.judge_samples > 1 and task == "judge" else 0.0,
            max_tokens=self.max_tokens,
            sample=sample,
            api=self.api,
        )

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that may be asked, once each."""
        writer = () if self.model is None else (self.model,)
        return tuple(dict.fromkeys((*writer, *self.judges)))

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What a run remembers of its plan."""
        named: dict[str, Any] = {
            "engine": self.engine,
            "reference": self.reference,
            "rubric": self.rubric,
        }
        if self.asks:
            named["model"] = {
                "name": self.model,
                "api": self.api,
                "temperature": self.temperature,
                "max_tokens": self.max_tokens,
            }
        if self.reference == "generate":
            named["model"]["samples"] = self.samples
        if self.rubric == "judge" or self.engine != "rule":
            named["judges"] = list(self.judges or (self.author,))
        if self.rubric == "judge":
            named["judge_samples"] = self.judge_samples
        return named
