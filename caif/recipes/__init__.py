"""Other ways than the whole one, each a recipe that a run file names: recipe = "dpo". `caif plugins` lists them."""

from caif.hookspecs import hookimpl
from caif.recipes.best import best_of_n, rejection_sampling
from caif.recipes.pairs import dpo, kto
from caif.recipes.reinforce import rlaif, rloo
from caif.recipes.soups import soup
from caif.recipes.tuning import sl_cai


@hookimpl
def caif_recipes():
    """The recipes by name."""
    return {
        "dpo": dpo,
        "kto": kto,
        "soup": soup,
        "rlaif": rlaif,
        "rloo": rloo,
        "sl-cai": sl_cai,
        "best-of-n": best_of_n,
        "rejection-sampling": rejection_sampling,
    }
