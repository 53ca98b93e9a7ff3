"""The process of `lpips.LPIPS`: prints the LPIPS of each pair of arrays that it receives."""

import os
import pickle
import sys


def main() -> None:
    """Answers until the pipe is closed."""
    # The modules of this folder are not to be imported by their bare names.
    sys.path[:] = [path for path in sys.path if path != os.path.dirname(__file__)]

    import torch
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    measure = LearnedPerceptualImagePatchSimilarity(net_type="alex")
    while True:
        try:
            pair = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        print(float(measure(*map(torch.from_numpy, pair))), flush=True)
        measure.reset()


if __name__ == "__main__":
    main()
