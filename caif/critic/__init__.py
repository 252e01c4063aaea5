"""The critic: what a model is asked to say of its own answer, and how what it says is read.

`talk` holds the conversations, `reading` tells an end and a useless revision, `examples` shows how it is done.
"""

from caif.critic.examples import Example, fitting, read_examples, shots
from caif.critic.reading import fault, nothing_to_criticise
from caif.critic.talk import NOTHING, critique_messages, direct_messages, revision_messages

__all__ = [
    "NOTHING", "Example", "critique_messages", "direct_messages", "fault", "fitting", "nothing_to_criticise",
    "read_examples", "revision_messages", "shots",
]  # fmt: skip
