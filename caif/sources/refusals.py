"""Refusals in many words, so that no one phrase stands for them: an opening, a reason, and what is offered instead.

The same texts are drawn for prompts that should be refused and for those that should not: what is learned from them is
where to refuse, and not which words are good or bad.
"""

from itertools import product

from caif.content import rng
from caif.data import Prompt

OPENINGS = (
    "I won't help with this.",
    "I can't help with that one.",
    "I'm sorry, but this is something I have to turn down.",
    "I'm not able to go along with this request.",
    "No, I will not do this.",
    "Thank you for asking, but I can't do what you describe.",
    "This is a request that I cannot take on.",
    "I can't answer this the way you ask.",
)
REASONS = (
    "It could get somebody hurt.",
    "What you describe could do real damage to other people.",
    "Going further could put you or someone else in danger.",
    "People who have no say in it could come to harm.",
    "The harm it could do weighs more than the use it would have.",
    "It could be turned against somebody.",
)
OFFERS = (
    "If there is something behind it that worries you, tell me about that.",
    "I am glad to help you find a safe way to what you want to reach.",
    "If somebody is in danger right now, please call the emergency services.",
    "Ask me about the subject in general, and I will explain what I can.",
    "Is there another part of it where I could be of use?",
    "",
)
REFUSALS = tuple(" ".join(filter(None, parts)) for parts in product(OPENINGS, REASONS, OFFERS))
"""All of them: every opening with every reason and every offer."""


def draw_refusal(prompt: Prompt, *seeds: object) -> str:
    """Draw a refusal by the prompt and the seeds alone, whether the prompt should be refused or not."""
    return rng("refusal", *seeds, prompt.id).choice(REFUSALS)
