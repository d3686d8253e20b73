"""The records that flow through the pipeline: one frozen model per thing, unknown keys refused.

``Seed -> Group | Rejected``; a group holds traces, a flawed trace holds its certificate. The same
models validate what is read back, so a file from elsewhere fails with the field's name.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 1

Domain = Literal["math", "code"]
Role = Literal["reference", "twin", "flawed"]
Method = Literal["symbolic", "executed", "judged"]
Severity = Literal["minor", "moderate", "severe"]
Label = Annotated[int, Field(ge=0, le=4)]
Points = Annotated[int, Field(ge=0, le=10)]
Unit = Annotated[float, Field(ge=0.0, le=1.0)]


class Record(BaseModel):
    """Frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Seed(Record):
    """A problem with its gold answer, and the gold reasoning where the source has it.

    ``where`` is ``file:line`` or the Hub's split and row: it goes into rejections, never into
    groups, so that a group does not depend on the order of its input.
    """

    source: str
    domain: Domain
    problem: str = Field(min_length=1)
    answer: str | None = None
    reasoning: str | None = None
    tests: str | None = None
    reference_solution: str | None = None
    author: str = "human"
    """Who wrote the reasoning: human, source (the source does not say), or a model's name."""
    variant: str = ""
    """Tells seeds of one problem apart, such as its second response: "2". Mostly empty."""
    where: str = ""

    @property
    def seed_id(self) -> str:
        """``<source>-<12 hex digits>`` of the problem's text: equal problems, equal id.

        A variant follows after a dash.
        """
        words = " ".join(self.problem.split())
        name = f"{self.source}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"
        return f"{name}-{self.variant}" if self.variant else name


class Rubric(Record):
    """Five labels from 0 (absent) to 4 (flawless), and their mean scaled to [0, 1].

    The names of the dimensions are data: they come from the templates of the domain.
    """

    labels: dict[str, Label]
    total: Unit

    @classmethod
    def of(cls, labels: dict[str, int]) -> Rubric:
        """Build a rubric whose total is ``mean(labels) / 4``."""
        return cls(labels=labels, total=round(sum(labels.values()) / (4 * len(labels)), 6))


class Judgement(Record):
    """What one judge said of a trace: points from 0 to 10 a dimension, each with a reason."""

    judge: str
    sample: int = Field(ge=0)
    scores: dict[str, Points]
    reasons: dict[str, str]


class Certificate(Record):
    """Machine-checked evidence that a trace is flawed, and where.

    Offsets are in characters (code points) of the flawed trace's ``text``; steps count from 0 in
    its ``steps``. ``before`` is what the parent says in the same place. A field that a kind has
    no use for is None.
    """

    kind: str
    operator: str
    severity: Severity
    step: int = Field(ge=0)
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    before: str
    after: str
    answer_before: str | None
    answer_after: str | None
    answer_changed: bool
    method: Method
    verdict: Literal["confirmed"] = "confirmed"
    propagation: Literal["propagated", "local"] | None = None
    """Arithmetic flaws: whether later steps follow the wrong value or contradict it. Code:
    whether the rest of the text goes with the flaw or still says what it denies."""
    equation: str | None = None
    """The equation that the flaw is about, as the flawed trace states it."""
    expected: str | None = None
    """What stands there in the parent: the right value, equation or quantity."""
    claimed: str | None = None
    """What the flawed trace claims instead."""
    quantity: str | None = None
    """Dropped or misused quantity, in the problem's words."""
    program: str | None = None
    """Executed flaws: the program that follows from the flawed trace. ``expected`` is then what
    the test asks for."""
    input: str | None = None
    """Executed flaws: the input of the first test that the program fails, as the test has it."""
    got: str | None = None
    """Executed flaws: what the program gave, or the exception that ended it."""
    judge: str | None = None
    """The model that was shown the pair blindly, picked the flawed trace and named the place."""
    quote: str | None = None
    """The sentence that the judge named, in its words."""

    def differences(self, other: Certificate) -> list[str]:
        """Return the fields in which another certificate differs."""
        return [
            name for name in type(self).model_fields if getattr(self, name) != getattr(other, name)
        ]

    @model_validator(mode="after")
    def _span_is_ordered(self) -> Certificate:
        if self.end < self.start:
            raise ValueError(f"span ends ({self.end}) before it starts ({self.start})")
        return self


class Uplift(Record):
    """What a trace changes for a frozen executor (``tlg uplift``)."""

    executor: str
    """The executor's name."""
    success: Unit
    """Share of the runs with the trace that solve the problem."""
    baseline: Unit
    """Share of the runs without any reasoning that do."""
    uplift: float = Field(ge=-1.0, le=1.0)
    """``success - baseline``."""
    repeats: int = Field(ge=1)
    baseline_repeats: int = Field(ge=1)
    temperature: float = Field(ge=0.0, le=2.0)


class Trace(Record):
    """One reasoning text: no final-answer line, no program.

    ``steps`` are consecutive pieces of ``text``: joined with whitespace they give it back.
    ``parent_id`` names the sound trace that a twin or a flawed trace was made from.
    """

    trace_id: str
    role: Role
    kind: str | None = None
    text: str = Field(min_length=1)
    steps: tuple[str, ...] = Field(min_length=1)
    rubric: Rubric
    certificate: Certificate | None = None
    author: str
    parent_id: str | None = None
    judgements: tuple[Judgement, ...] | None = None
    """Where judges gave the labels: what each of them said."""
    uplift: Uplift | None = None
    """Where it was measured: what the trace is worth to an executor."""

    @property
    def sound(self) -> bool:
        """Whether the trace is a reference or a twin."""
        return self.role != "flawed"

    @model_validator(mode="after")
    def _consistent(self) -> Trace:
        if (self.kind is not None) != (self.role == "flawed"):
            raise ValueError(
                f"{self.trace_id}: a kind belongs to flawed traces, and to all of them"
            )
        if self.certificate is not None:
            cert = self.certificate
            if cert.kind != self.kind:
                raise ValueError(
                    f"{self.trace_id}: certificate of kind {cert.kind}, not {self.kind}"
                )
            if self.text[cert.start : cert.end] != cert.after:
                raise ValueError(f"{self.trace_id}: the certificate's span is not its text")
        if "".join("".join(self.steps).split()) != "".join(self.text.split()):
            raise ValueError(f"{self.trace_id}: the steps do not make up the text")
        return self


class Group(Record):
    """One problem with its reference, twins and flawed traces."""

    group_id: str
    source: str
    domain: Domain
    problem: str
    answer: str | None = None
    tests: str | None = None
    reference_solution: str | None = None
    split: str | None = None
    traces: tuple[Trace, ...]
    metadata: str | None = None
    """JSON text that another system's file carried and that is given back on export."""
    schema_version: int = SCHEMA_VERSION

    @property
    def reference(self) -> Trace:
        """The verified sound trace."""
        return next(trace for trace in self.traces if trace.role == "reference")

    @model_validator(mode="after")
    def _invariants(self) -> Group:
        ids = [trace.trace_id for trace in self.traces]
        if len(set(ids)) != len(ids):
            raise ValueError(f"{self.group_id}: two traces share an id")
        if sum(trace.role == "reference" for trace in self.traces) != 1:
            raise ValueError(f"{self.group_id}: a group has exactly one reference")
        sound = {trace.trace_id for trace in self.traces if trace.sound}
        for trace in self.traces:
            if trace.parent_id is not None and trace.parent_id not in sound:
                raise ValueError(f"{trace.trace_id}: parent {trace.parent_id} is no sound trace")
        return self


class Rejected(Record):
    """A seed that did not become a group, with the reason; never silently dropped.

    ``reason`` is one of a small vocabulary that is counted in the manifest; ``detail`` tells the
    reader of this one row what to look at.
    """

    seed_id: str | None
    where: str
    reason: str
    detail: str
    problem: str | None = None


class RejectedTrace(Record):
    """A trace that a model wrote and that did not make it into its group, with the reason."""

    seed_id: str
    role: Role
    kind: str | None = None
    author: str
    reason: str
    detail: str
    text: str | None = None
