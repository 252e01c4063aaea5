"""The section of RL: what the policy is paid for, what it has to keep to, and when to stop it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from caif.content import Frozen
from caif.sections.parts import Count, ModelSpec, Part, Positive, SafeName, Whole

Aggregation = Literal[
    "normalize_then_sum", "sum_then_normalize", "minimum", "soft_minimum", "lexicographic", "veto", "safety_first"
]
RANKED = ("lexicographic", "veto", "safety_first")
"""Ways to make one reward of many in which an objective's authority counts."""
BARRED = ("veto", "safety_first")

Finite = Annotated[float, Field(allow_inf_nan=False)]
Nonnegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Points = Annotated[tuple[tuple[Whole, Finite], ...], Field(min_length=1)]
Limit = Positive | Literal["off"]


class PluginReward(Part):
    """A reward that a plugin brings to RL."""

    hook = "caif_rewards"


class Schedule(Frozen):
    """A weight that changes on the way: points of a step and a weight, joined by lines or each held until the next."""

    linear: Points | None = None
    table: Points | None = None

    @model_validator(mode="after")
    def _one_of_both_in_order(self) -> Self:
        if (self.linear is None) == (self.table is None):
            raise ValueError("a schedule is either linear = [[step, weight], …] or table = [[step, weight], …]")
        steps = [step for step, _ in self.points]
        if steps != sorted(set(steps)):
            raise ValueError(f"the steps of a schedule rise from point to point, not {steps}")
        return self

    @property
    def points(self) -> Points:
        """The steps with their weights."""
        return self.linear or self.table or ()


class Constraint(Frozen):
    """A bound on the mean reward of an objective, kept by a multiplier: how much the objective counts while it is broken.

    `rate` is how fast the multiplier's logarithm moves, by a step and a standard deviation off the bound; `memory` is how
    much of the average so far stays at each step; for `delay` steps the multiplier only watches; it begins at `start`
    and never passes `most`.
    """

    at_least: Finite | None = None
    at_most: Finite | None = None
    rate: Positive = 0.1
    memory: Annotated[float, Field(ge=0, lt=1)] = 0.5
    delay: Whole = 0
    start: Positive = 0.5
    most: Positive = 20.0

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a constraint is either at_least = … or at_most = …")
        if self.start > self.most:
            raise ValueError(f"start {self.start:g} is over most {self.most:g}")
        return self

    @property
    def bound(self) -> float:
        """The bound, whichever way it holds."""
        return self.at_most if self.at_least is None else self.at_least  # type: ignore[return-value]

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return -1 if self.at_least is None else 1


class Guards(Frozen):
    """Limits past which RL is stopped and the last good policy restored. Each can be "off".

    `on_trip` says whether the run then ends with an error or goes on with that policy. A limit has to be passed for
    `patience` steps in a row, a flat reward for `flat` steps; what is not finite stops at once.
    """

    on_trip: Literal["stop", "keep"] = "stop"
    patience: Count = 3
    kl: Limit = 50.0
    """Nats an answer from where RL started."""
    longer: Limit = 2.0
    """How many times as long as at the start answers may be on average; `shorter`: as what part of it."""
    shorter: Limit = 0.25
    entropy: Limit = 0.02
    """The least, in nats a token."""
    repetition: Limit = 0.5
    """Share of an answer's runs of four tokens that stood in it before."""
    refusals: Limit = 0.3
    """Share of answers that refuse, over that at the start."""
    spread: Limit = 1e-4
    """Within groups, all rewards; below it nothing is left to learn from."""
    flat: Count = 10
    preference: Limit = 0.35
    """How often at least `judge` must prefer new answers to those of the start, while the reward is above its start."""
    outside: Limit = 0.8
    """Share of answers that are unlike any that the reward model was trained on, where [coverage] is in the run."""
    every: Count = 10
    """How many steps from one look of the judge to the next, at answers to `sample` prompts."""
    sample: Count = 8


class Rl(Frozen):
    """GRPO against the heads and any rewards that plugins bring, as many as there are, made one by `aggregation`.

    A weight is a number, or changes with the steps: {linear = [[step, weight], …]} or {table = [[step, weight], …]}. A
    constraint is {at_least = …} or {at_most = …} of the mean reward. [rl.guards] stop a policy that goes wrong.
    A step updates the policy once. Each batch of `prompts_per_step` x `generations` answers serves `updates` steps.
    After [sft] its adapter is trained on, so `rank` is for a policy without one.
    """

    model: ModelSpec
    trainer: str = ""
    weights: dict[str, Finite | Schedule] = {}
    """By objective or reward name; 1 by default, 0 for what has a constraint. Below 0 is a cost."""
    rewards: dict[SafeName, PluginReward] = {}
    aggregation: Aggregation = "normalize_then_sum"
    floors: dict[str, Nonnegative] = {}
    """By name, the noise in a reward: what differs by less within a group is not blown up to a whole difference."""
    authority: dict[str, int] = {}
    """By name; what the constitution's principles have by default. For lexicographic, veto and safety_first."""
    bars: dict[str, Finite] = {}
    """By name, for veto and safety_first: a reward of higher authority below its bar comes before all others."""
    safety_tags: tuple[str, ...] = ()
    """Prompts with one of these tags are for the highest authority alone, in safety_first."""
    constraints: dict[str, Constraint] = {}
    guards: Guards = Guards()
    judge: ModelSpec | None = None
    """A judge that neither labelled nor is paid for, asked now and then whether answers get better."""
    steps: Count = 100
    generations: Annotated[int, Field(ge=2)] = 8
    prompts_per_step: Count = 4
    at_once: Count = 8
    """How many answers are in memory at once when the policy is updated."""
    updates: Count = 1
    learning_rate: Positive = 1e-5
    beta: Positive = 0.04
    target_kl: Positive | None = None
    """Nats an answer that `beta` is steered to keep; without it `beta` stays as it is."""
    temperature: Positive = 1.0
    max_tokens: Count = 256
    truncated: Literal["mask", "penalty", "keep"] = "mask"
    """Of an answer cut off at `max_tokens` nothing is learnt, or it costs `penalty`; its group is not measured by it.
    Or it is paid like any other."""
    penalty: Positive = 1.0
    """In standard deviations of a group."""
    rank: Count = 16

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        for key, ways in (("bars", BARRED), ("authority", RANKED), ("safety_tags", ("safety_first",))):
            if getattr(self, key) and self.aggregation not in ways:
                raise ValueError(
                    f'{key}: says nothing with aggregation = "{self.aggregation}"; it is for {", ".join(ways)}'
                )
        if "penalty" in self.changed and self.truncated != "penalty":
            raise ValueError(f'penalty: says nothing with truncated = "{self.truncated}"')
        if self.target_kl is not None and self.guards.kl != "off" and self.target_kl >= self.guards.kl:
            raise ValueError(
                f"target_kl: {self.target_kl:g} is not below guards.kl, {self.guards.kl:g}, which stops the run"
            )
        if self.judge is None and (asked := self.guards.changed & {"preference", "every", "sample"}):
            raise ValueError(f"guards.{min(asked)}: is for a judge, and rl.judge names none")
        if self.judge is not None and self.guards.preference == "off":
            raise ValueError('judge: is asked for guards.preference, which is "off"')
        return self

    @property
    def named(self) -> list[tuple[str, str]]:
        """Each key that holds something by a reward's name, with that name."""
        keys = ("weights", "floors", "authority", "bars", "constraints")
        return [(key, name) for key in keys for name in getattr(self, key)]
