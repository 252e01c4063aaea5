"""Sections of the feedback sources and of what puts them together."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from caif.content import Frozen
from caif.data import Share
from caif.sections.parts import Count, FilePath, Part, SafeName


class Source(Part):
    """One feedback source under a name, which is what reports and weights call it; left out, it is called as `use` says.

    The keys beside these are the options of that source: caif plugins thumbs.
    """

    hook = "caif_feedback_sources"
    name: SafeName | Literal[""] = ""

    @property
    def label(self) -> str:
        """The source's name on its rows."""
        return self.name or self.use


Kinship = Literal["prompt", "conversation", "rater"]
Target = Annotated[float, Field(gt=0, le=1)]
SourceWeight = Annotated[float, Field(ge=0, le=1e6)]  # beyond that, sums of weights are no numbers any more


class Combine(Frozen):
    """Put sources together: weight, cap and share by source name; duplicates, contradictions, what is kept out; the split.

    `shares` are of the weight that is trained on: a source's weights are multiplied, by `share_limit` at most, up or down.
    A pair made of two sources' thumbs ("thumbs+votes") is each one's by half; a fused row is of too many voices to be any
    source's, so with "fuse" there are no shares: `weights` say there how much a source's word counts.
    `contradictions` says what becomes of several labels of one comparison: all are kept as rows; those that disagree are
    set aside; or all that is said of it, thumbs too, becomes one row with the probability that raters' reliability makes
    likely ("fuse"). Of near-duplicates, whose prompts and answers are `alike` by MinHash, all share the weight of one, or
    one is kept ("drop"). At most `per_prompt` pairs of a prompt stay; if `balanced`, they weigh one together. Of one person
    at most `per_rater` pairs and as many thumbs are used, whatever the source; judges and who has no name have no limit.
    `boilerplate = "drop"` sets aside labels that prefer a refusal by habit; refusals of prompts with one of `unsafe` tags
    stay, and those that a judge prefers under one of the objectives `harm`. Rows with a run of `words` words of a file of
    `evaluation_sets` must not be trained on and are set aside. What `split_by` names never stands on both sides of the split.
    """

    weights: dict[str, SourceWeight] = {}
    caps: dict[str, Count] = {}
    shares: dict[str, Target] = {}
    share_limit: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 10.0
    contradictions: Literal["keep", "set_aside", "fuse"] = "keep"
    near_duplicates: Literal["weight", "drop", "off"] = "weight"
    alike: Annotated[float, Field(ge=0.5, le=1)] = 0.7
    per_prompt: Count = 16
    per_rater: Count | None = None
    balanced: bool = False
    boilerplate: Literal["keep", "drop"] = "keep"
    unsafe: tuple[str, ...] = ("unsafe",)
    harm: tuple[str, ...] = ("harmlessness",)
    evaluation_sets: tuple[FilePath, ...] = ()
    words: Annotated[int, Field(ge=5)] = 13
    split_by: tuple[Kinship, ...] = ("prompt",)
    heldout: Share = 0.2

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if sum(self.shares.values()) > 1 + 1e-9:
            raise ValueError(f"combine.shares: {self.shares} are more than all, 1")
        if "prompt" not in self.split_by:
            raise ValueError('combine.split_by: prompts never stand on both sides: begin it with "prompt"')
        if self.shares and self.contradictions == "fuse":
            raise ValueError(
                "combine.shares: a fused row is of several sources, so none can have a share; weights say how much each one's word counts"
            )
        return self
