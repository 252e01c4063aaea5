"""Everything that can be known before the first model call: names, options, models, files, principles, disk space.

It costs seconds and finds what would otherwise stop a run after hours. Only what is certainly wrong is a finding.
"""

import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel

from caif import plan
from caif.config import TUNED, Combine, Evaluate, ModelSpec, Part, Prompts, Revise, Reward, Rl, Source
from caif.constitution import Constitution, read
from caif.critic import read_examples
from caif.data import Rejected
from caif.errors import CaifError, nearest
from caif.hookspecs import FeedbackContext
from caif.models import embedded, resolve
from caif.models.account import unpriced
from caif.run import Run

SPARE = 200_000_000
CONVERTED = {"0.5b": 2_000_000_000, "1.5b": 5_000_000_000}
"""Bytes that converting an embedded model takes while it lasts: the joined file and the weights."""


class Findings(dict[str, list[str]]):
    """What is wrong, by what was looked at; an empty list means that nothing is. `models` are those that were seen.

    `notes` are what may well be right, and what cannot be known beforehand, by the same places.
    """

    def __init__(self) -> None:
        self.models: list[ModelSpec] = []
        self.notes: defaultdict[str, list[str]] = defaultdict(list)

    @contextmanager
    def of(self, place: str) -> Iterator[list[str]]:
        """Collect findings on one thing; an error while looking is a finding."""
        found = self.setdefault(place, [])
        try:
            yield found
        except CaifError as error:
            found += error.lines
        except Exception as error:  # noqa: BLE001 - a plugin's factory may raise anything
            found.append(f"{type(error).__name__}: {error}")


def problems(run: Run, stages: Collection[str] | None = None) -> list[str]:
    """Return the findings on some stages (all by default) as lines; broken plugins are warnings then, not findings."""
    found = check(run, stages)
    return [f"{place}: {text}" for place, texts in found.items() if place != "plugins" for text in texts]


def check(run: Run, stages: Collection[str] | None = None) -> Findings:
    """Look at everything, and return what is wrong by place."""
    found, law = Findings(), None
    config = run.config
    with found.of("plugins") as wrong:
        wrong += run.plugins.complaints()
    with found.of("constitution"):
        law = read(config.constitution)
    with found.of("recipe"):
        plan.recipe_of(config, run.plugins)
    sections = {name: getattr(config, name) for name in type(config).model_fields if name not in ("exec", "budget")}
    sections = {name: cfg for name, cfg in sections.items() if isinstance(cfg, BaseModel)}
    sections |= {source.label: source for source in config.feedback}
    sections = {name: cfg for name, cfg in sections.items() if stages is None or name in stages}
    for name, cfg in sections.items():
        _section(run, found, name, cfg, law)
    if config.budget.limits:
        with found.of("budget") as wrong:
            wrong += unpriced(config)
    if {"sft", "reward", "rl", "dpo", "kto"} & set(sections):
        with found.of("training") as wrong:
            from caif.training.options import check as trainers

            wrong += trainers(config)
    with found.of("disk") as wrong:
        wrong += _disk(run, found.models)
    return found


def _section(run: Run, found: Findings, name: str, cfg: BaseModel, law: Constitution | None) -> None:
    with found.of(name) as wrong:
        models = plan.models(run, cfg)
        found.models += models
        for spec in models:
            wrong += _model(run, spec)
            found.notes[name] += _unseen(spec)
        if isinstance(cfg, Revise):
            _revise(cfg, law)
        if isinstance(cfg, (Reward, Rl)) and cfg.trainer:
            run.plugins.make("caif_trainers", cfg.trainer, {})
        if isinstance(cfg, Rl):
            wrong += _named(run, cfg, law)
        if isinstance(cfg, Evaluate) and run.config.prompts.heldout == 0:
            wrong.append("no prompt is held out; raise prompts.heldout")
        if isinstance(cfg, (Prompts, Combine)) and cfg.heldout == 1:
            wrong.append("heldout = 1 holds everything out, and nothing is left to learn from; lower it")
        if isinstance(cfg, Part) and not wrong:
            made = run.plugins.make(cfg.hook, cfg.use, cfg.options, run.base)
            _files(run, cfg)
            if isinstance(cfg, Prompts):
                _usable(made(), str(cfg.options.get("path", cfg.use)))
            if isinstance(cfg, Source):
                wrong += _source(run, cfg, made, law)
                found.notes[name] += _foreign(run, cfg, made, law) if not wrong else []
    parts = cfg.metrics if isinstance(cfg, Evaluate) else cfg.rewards if isinstance(cfg, Rl) else {}
    for label, part in parts.items():
        with found.of(f"{name}: {label}"):
            run.plugins.make(part.hook, part.use, part.options, run.base)


def _model(run: Run, spec: ModelSpec) -> list[str]:
    if spec.use == TUNED:
        return [] if run.config.sft else [f'model "{TUNED}" needs [sft], which is left out']
    factories = run.plugins.factories("caif_chat_models")
    why = resolve.problem(spec, factories)
    if why is None and spec.use.partition(":")[0] not in resolve.LOCAL:
        resolve.resolve(spec, factories)  # says if a package is missing; no server is asked
    return [why] if why else []


def _unseen(spec: ModelSpec) -> list[str]:
    """Return that a model cannot be looked for here: what is no folder is a name on a model hub."""
    scheme, _, rest = spec.use.partition(":")
    if scheme != "hf" or resolve.is_folder(rest) or Path(rest).expanduser().is_dir():
        return []
    return [f"{spec.use} is no folder here; whether a model hub has it is known when it is loaded"]


def _revise(cfg: Revise, law: Constitution | None) -> None:
    if law is not None:
        law.only(cfg.principles)
    for example in read_examples(cfg.examples) if cfg.examples is not None else ():
        if law is not None:
            law.principle(example.principle)


def _named(run: Run, cfg: Rl, law: Constitution | None) -> list[str]:
    """Return what [rl] says of rewards that nothing will make.

    A file of people's feedback may bring objectives of its own; beside one, only what looks misspelt is a finding.
    """
    known, closed = {*cfg.rewards, *(law.objectives if law else ())}, law is not None
    for source in run.config.feedback if cfg.named else ():
        options = run.plugins.typed(source.hook, source.use, source.options, run.base)
        known |= {options["objective"]} if "objective" in options else set()
        closed &= "path" not in options
    unknown = [(key, name) for key, name in cfg.named if name not in known]
    hints = [(key, name, nearest(name, known)) for key, name in unknown]
    return [
        f"{key}: there is no reward {name!r}; {hint}"
        for key, name, hint in hints
        if closed or hint.startswith("did you")
    ]


def _files(run: Run, cfg: Part) -> None:
    for value in run.plugins.typed(cfg.hook, cfg.use, cfg.options, run.base).values():
        if isinstance(value, Path) and not value.exists():
            raise CaifError(f"{value}: no such file", "a path starts at the run file's folder")


def _usable(rows: Any, where: str) -> Any:
    """Return the first usable row."""
    rejected = None
    for row in rows:
        if not isinstance(row, Rejected):
            return row
        rejected = rejected or row
    why = f"; the first: {rejected.where}: {rejected.reason}" if rejected else ""
    raise CaifError(f"no usable rows in {where}{why}", "check the file and its format")


SET_AGAINST = {"refusal": "refusals", "mismatch": "answers to other prompts"}
"""What a source pairs every sample with."""


def _source(run: Run, cfg: Source, made: Callable[..., Any], law: Constitution | None) -> list[str]:
    wrong: list[str] = []
    if law is not None and isinstance(names := cfg.options.get("principles"), (list, tuple)):
        law.only(names)
    if cfg.use == "ai-labeler" and (run.config.sample is None or run.config.sample.samples < 2):
        wrong.append("compares samples: [sample] with samples = 2 or more is missing")
    if (what := SET_AGAINST.get(cfg.use)) and run.config.sample is None:
        wrong.append(f"sets samples against {what}: [sample] is missing")
    if cfg.use == "critique-revise" and run.config.revise is None:
        wrong.append("compares revisions: [revise] is missing")
    return wrong


def _foreign(run: Run, cfg: Source, made: Callable[..., Any], law: Constitution | None) -> list[str]:
    """Read a file of people's feedback up to its first usable row, and return that its objective is the file's own."""
    if law is None or cfg.use not in ("pairs", "thumbs"):  # what a plugin's source does with a path is its own affair
        return []
    context = FeedbackContext(
        source=cfg.label, prompts=(), samples=(), revisions=(), constitution=law, seed=run.config.seed,
        model=_no_model, ask=_no_model, score=_no_model,
        read=lambda name, path, **more: run.plugins.make("caif_feedback_formats", name, more, run.base)(path),
    )  # fmt: skip
    name = _usable(made(context), str(cfg.options["path"])).objective
    what = f"its first row is about {name!r}, an objective that the constitution lacks"
    meant = 'objective = "…" in its section says what rows that name none are about'
    return [] if name in law.objectives else [f"{what}; {nearest(name, law.objectives)}; {meant}"]


def _no_model(*_: object) -> NoReturn:
    raise CaifError("this source asks no model", "this is a fault of caif: tell its developers")


def _disk(run: Run, models: Collection[ModelSpec]) -> list[str]:
    names = {spec.use.partition(":")[2] for spec in models if spec.use.startswith("embedded:")}
    unconverted = [name for name in names if name in CONVERTED and not embedded.converted(name).is_dir()]
    wanted = {run.home.absolute(): SPARE, embedded.cache_folder(): sum(CONVERTED[name] for name in unconverted)}
    wrong = []
    for folder, size in wanted.items():
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if size and (free := shutil.disk_usage(there).free) < size:
            wrong.append(f"{folder}: {free / 1e9:.1f} GB free, {size / 1e9:.1f} GB wanted")
    return wrong
