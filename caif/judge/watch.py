"""A judge that is watched: asked what is known before it labels, and again while it does."""

from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

from caif.constitution import Constitution, Principle
from caif.data import Comparison, Judgement, Tested
from caif.judge import Bench, judge_all
from caif.judge.canaries import canaries, canary_report, mix, stop_if_dead, unmix
from caif.judge.selftest import selftest, stop_if_failed

Selftest = Literal["stop", "warn", "off"]
"""What a judge that fails does to the run: it stops it, or is only written down, or nothing was asked."""


class Watch(NamedTuple):
    """A judge and what is known of it."""

    bench: Bench
    law: Constitution
    source: str
    seed: int
    mode: Selftest
    canaries: int = 0

    def before(self) -> list[Tested]:
        """Return how the judge did on what is known; stop the run if it cannot be believed."""
        if self.mode == "off":
            return []
        found = selftest(partial(judge_all, self.bench), self.law, self.seed)
        if self.mode == "stop":
            stop_if_failed(found, f"{self.source}: {self.bench.model.id}")
        return [self._tested(f.check, f.passed, f.right, f.asked, f.reason) for f in found]

    def judge_all(self, asked: Sequence[tuple[Comparison, Principle]], part: int = 0) -> tuple[list[Judgement], list[Tested]]:
        """Return a judgement for each row of a part, and how the judge did on the known answers that stood between them."""
        seed = self.seed + part  # other known answers in each part
        planted = canaries(self.law, seed, self.canaries if asked and self.mode != "off" else 0)
        said = judge_all(self.bench, mix(asked, planted, seed), self.source)
        judged, known = unmix(said, planted, seed)
        if not planted:
            return judged, []
        report = canary_report(planted, known)
        if self.mode == "stop":
            stop_if_dead(report, self.source)
        right = round((report["accuracy"] or {"mean": 0})["mean"] * report["n"])
        reason = f"{right} of {report['n']} right, {report['failures']} without a verdict"
        check = f"canaries {part + 1}" if part else "canaries"
        return judged, [self._tested(check, report["passed"], right, report["n"], reason)]

    def _tested(self, check: str, passed: bool, right: int, asked: int, reason: str) -> Tested:
        about = f"{self.bench.model.id} by {self.bench.method}, wording {self.bench.wording}"
        return Tested(judge=about, check=check, passed=passed, right=right, asked=asked, reason=reason, source=self.source)
