"""A recipe that ends with the preference data: other feedback is put together, and nothing is trained."""

import caif
from caif.stages.collect import collect
from caif.stages.combine import combine
from caif.stages.constitution import constitution
from caif.stages.prompts import prompts
from caif.store import Artifact


def data_only(run: caif.Run) -> Artifact | None:
    c = run.config
    law = run.build(constitution, cfg=c.law)
    asked = run.build(prompts, cfg=c.prompts)
    feedback = [run.build(collect, law, asked, cfg=source, name=source.label) for source in c.feedback]
    return run.build(combine, asked, *feedback, cfg=c.combine)


@caif.hookimpl
def caif_recipes():
    return {"data-only": data_only}
