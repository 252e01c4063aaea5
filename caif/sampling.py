"""Sample answers of a model to prompts: what generation and evaluation both do."""

from collections.abc import Sequence

from caif.data import Completion, Prompt
from caif.hookspecs import Model, Params, Request
from caif.run import Work


def sample(
    work: Work, model: Model, prompts: Sequence[Prompt], samples: int, params: Params, system: str = ""
) -> list[Completion]:
    """Return `samples` completions a prompt, prompt by prompt."""
    owners = [(prompt, n) for prompt in prompts for n in range(samples)]
    answers = work.ask(model, [Request(p.id, p.under(system), n) for p, n in owners], params)
    return [
        Completion(prompt=prompt, text=answer.text, model=model.id, sample=n, finish=answer.finish)  # type: ignore[arg-type]
        for (prompt, n), answer in zip(owners, answers, strict=True)
    ]
