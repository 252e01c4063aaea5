"""Raters and truths together, by EM: who says what of which truth, and what is true if that is how they speak.

Each item is one of two things (a is better or b is; a lone answer is good or bad). People's labels are taken to be
independent given that, and without a common bias; what judges say is worth what people bear out (see `likelihood`), so
without people judges are averaged as they are. All is shrunk: who said little is taken for a usual one of their source.
"""

from typing import NamedTuple

import numpy as np

from caif.raters import regression
from caif.raters.dawid_skene import dawid_skene
from caif.raters.labels import Labels, Problem, Truths, total
from caif.raters.likelihood import Voices, from_judges, from_people, read, sigmoid
from caif.raters.votes import Floats, Ints

STEPS, SETTLED = 100, 1e-3
"""EM ends when no item's probability moves by more than this, or after so many steps."""
SEVERAL, START = 3, 10
"""What so many people spoke on begins with what the one-coin model finds in so many steps: who votes against the others."""
SLOPE, LENIENCY = (1.0, 1.5), (0.0, 1.0)
"""What a voice is taken to be before anything is known, and how far voices differ from the usual one of their source."""
KNOWN = 5.0
"""How many voices that belief about the usual one is worth."""
SPAM, VOTES = 0.05, 20.0
"""The usual share of votes given without looking, and how many votes that belief is worth."""
RIDGE = 5.0
"""How strongly a bias is held to none, on features of unit size."""
STEP = 1.0
"""How far a slope or a leniency moves at once."""


class Fit(NamedTuple):
    """What EM ends with: the voices, each slope's standard error, what each label says in log-odds, and each item's."""

    voices: Voices
    error: Floats
    people: Floats
    judges: Floats
    odds: Floats


def fit(task: Problem) -> Fit:
    """Return the voices, biases and truths under which the labels are likeliest."""
    judged = np.array([voice.source not in task.human for voice in task.voices], dtype=bool)
    group = np.unique([2 * v.source + (v.kind == "thumbs") for v in task.voices], return_inverse=True)[1].ravel()
    voices = _start(task)
    odds = _odds(task, voices, np.zeros(task.items))
    truth = np.where(_heard(task), sigmoid(_majority(task)), sigmoid(odds.odds))
    for _ in range(STEPS):
        voices = _improved(task, voices, judged, group, truth)
        odds = _odds(task, voices, truth)
        before, truth = truth, sigmoid(odds.odds)
        if np.abs(truth - before).max(initial=0.0) < SETTLED:
            break
    return odds._replace(error=_errors(task, voices, truth))


def _start(task: Problem) -> Voices:
    n, features = len(task.voices), task.judges.features.shape[1]
    return Voices(
        np.full(n, SLOPE[0]), np.full(n, LENIENCY[0]), np.full(n, SPAM), np.zeros((len(task.sources), features))
    )


def _odds(task: Problem, voices: Voices, truth: Floats) -> Fit:
    """Return the E-step: each item's log-odds are the sum of what every label says, and for lone answers how many are good."""
    people, judges = from_people(task.people, voices), from_judges(task.judges, voices)
    odds = total(task.people.item, people, task.items) + total(task.judges.item, judges, task.items)
    good = (truth[task.compared :].sum() + 1) / (task.alone + 2)
    odds[task.compared :] += np.log(good / (1 - good))
    return Fit(voices, np.zeros(0), people, judges, odds)


def _heard(task: Problem) -> Truths:
    return np.asarray(total(task.people.item, task.people.weight, task.items) > 0)


def _majority(task: Problem) -> Floats:
    """Return each item's log-odds by the majority of people, and by Dawid and Skene where several spoke.

    One person and one judge can both be the one who is right when they differ; people are the yardstick.
    """
    labels = task.people
    for_it = labels.for_one == (labels.sign > 0)
    odds = SLOPE[0] * total(labels.item, labels.weight * np.where(for_it, 1, -1), task.items)
    several = _speakers(labels, task.items) >= SEVERAL
    known = several[labels.item]
    if known.any():
        some, side = labels.only(known), for_it[known].astype(int)
        coins = dawid_skene(some.item, some.voice, side, some.weight, one_coin=True, smoothing=1.0, steps=START)
        found = np.clip(coins.truth[:, 1], 1e-9, 1 - 1e-9)
        odds[: len(found)] = np.where(several[: len(found)], np.log(found / (1 - found)), odds[: len(found)])
    return np.asarray(odds)


def _speakers(labels: Labels, items: int) -> Ints:
    """Return how many raters spoke on each item: who has thumbs on both its answers is one."""
    heard = labels.weight > 0
    each = np.unique(labels.rater[heard] * items + labels.item[heard])
    return np.bincount(each % max(items, 1), minlength=items)


def _improved(task: Problem, voices: Voices, judged: Truths, group: Ints, truth: Floats) -> Voices:
    """Return the voices after one Newton step on what they said of what is probably true."""
    usual = _usual(voices.slope, task, group, SLOPE)
    people = _heard_anew(task, voices, usual, _usual(voices.leniency, task, group, LENIENCY), truth)
    if not judged.any():
        return people
    held = regression.Held(voices._replace(slope=usual), (SLOPE[1], LENIENCY[1]), RIDGE)
    judges = regression.step(task.judges, voices, truth, held)
    slope, leniency = np.where(judged, judges.slope, people.slope), np.where(judged, judges.leniency, people.leniency)
    return Voices(slope, leniency, np.where(judged, 0.0, people.spam), judges.bias)


def _heard_anew(task: Problem, voices: Voices, usual: Floats, mild: Floats, truth: Floats) -> Voices:
    """Return people's slopes, leniencies and spam after one step, each rater's by itself."""
    labels, n, seen = task.people, len(task.voices), read(task.people, voices)
    given = labels.share * np.stack([truth[labels.item], 1 - truth[labels.item]])
    error, bend = given * seen.error, given * seen.bend

    def of_voice(values: Floats) -> Floats:
        return total(labels.voice, values, n)

    both = bend.sum(axis=0)
    curve = of_voice(both) + 1 / SLOPE[1] ** 2, of_voice(both * labels.lean**2) + 1 / LENIENCY[1] ** 2
    cross = of_voice(labels.sign * labels.lean * (bend[0] - bend[1]))
    slope = of_voice(labels.sign * (error[0] - error[1])) - (voices.slope - usual) / SLOPE[1] ** 2
    lean = of_voice(labels.lean * error.sum(axis=0)) - (voices.leniency - mild) / LENIENCY[1] ** 2
    det, idle = curve[0] * curve[1] - cross**2, of_voice((given * (1 - seen.meant)).sum(axis=0))
    return voices._replace(
        slope=voices.slope + np.clip((curve[1] * slope - cross * lean) / det, -STEP, STEP),
        leniency=voices.leniency + np.clip((curve[0] * lean - cross * slope) / det, -STEP, STEP),
        spam=(idle + SPAM * VOTES) / (of_voice(labels.share) + VOTES),
    )


def _usual(values: Floats, task: Problem, group: Ints, belief: tuple[float, float]) -> Floats:
    """Return the usual value of each voice's source and kind: the mean, that of voices with few votes counting less."""
    start, spread = belief
    weight = 1 / (spread**2 + 4 / np.array([voice.votes for voice in task.voices], dtype=float))
    over = np.bincount(group, weight * values) + KNOWN * start / spread**2
    return np.asarray((over / (np.bincount(group, weight) + KNOWN / spread**2))[group])


def _errors(task: Problem, voices: Voices, truth: Floats) -> Floats:
    """Return each slope's standard error, the others held: from the squared scores and the prior."""
    people, judges, n = task.people, task.judges, len(task.voices)
    mine, seen = truth[people.item], read(people, voices)
    score = people.share * people.sign * (mine * seen.error[0] - (1 - mine) * seen.error[1])
    share = sigmoid(total(judges.item, from_judges(judges, voices), task.items))
    moved = judges.weight * judges.said * (truth - share)[judges.item]
    return np.asarray(
        1 / np.sqrt(total(people.voice, score**2, n) + total(judges.voice, moved**2, n) + 1 / SLOPE[1] ** 2)
    )
