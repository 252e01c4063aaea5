"""The formats by the name that the command line has for them."""

from caif.exports.axolotl import AXOLOTL
from caif.exports.caif_rows import CAIF
from caif.exports.formats import Format
from caif.exports.llama_factory import LLAMA_FACTORY
from caif.exports.openai import OPENAI
from caif.exports.openrlhf import OPENRLHF
from caif.exports.trl import TRL
from caif.exports.verl import VERL

FORMATS: dict[str, Format] = {
    "trl": TRL,
    "openai": OPENAI,
    "llama-factory": LLAMA_FACTORY,
    "axolotl": AXOLOTL,
    "verl": VERL,
    "openrlhf": OPENRLHF,
    "caif": CAIF,
}
