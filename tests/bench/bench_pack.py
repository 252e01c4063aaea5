"""How much faster linear layers are in oneDNN's packed layout than as torch multiplies them, side by side.

The layer is the largest of the 1.5B judge (1536 to 8960); the rows are a decoding batch or a scored prompt. Prints
ratios; `works()` says whether packing would be used on this machine at all.
"""

import time

import torch

from caif.models.local import precision
from caif.models.pack import Packed, works


def seconds(layer: torch.nn.Module, x: torch.Tensor, rounds: int = 7) -> float:
    """Return the fastest of several runs: what the machine can do, not what else it was doing."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        layer(x)
        taken.append(time.perf_counter() - started)
    return min(taken)


def main() -> None:
    """Print a line a batch size."""
    kind = precision()
    print(f"packing works here in {kind}: {works(kind)}; threads: {torch.get_num_threads()}")
    linear = torch.nn.Linear(1536, 8960, dtype=kind)
    packed = Packed(linear)
    with torch.inference_mode():
        for rows in (1, 16, 64, 512, 2048):
            x = torch.randn(rows, 1536, dtype=kind)
            plain, fast = seconds(linear, x), seconds(packed, x)
            flops = 2 * rows * 1536 * 8960 / fast / 1e9
            print(f"{rows:5d} rows: packed is {plain / fast:4.1f} times as fast ({flops:.0f} GFLOP/s)")


if __name__ == "__main__":
    main()
