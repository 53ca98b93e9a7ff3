"""The command line of cyclegan-tf."""

import sys
from collections.abc import Sequence

from cyclegan_tf.task import CycleGANTask
from pix2pix_tf import cli

SUMMARY = """
Learns to translate between two unpaired sets of images (CycleGAN), on TensorFlow 2 and Keras 3.

  cyclegan-tf                                       a demonstration on data that it draws
  cyclegan-tf train --input_dir DIR --output_dir RUN         (DIR/trainA and DIR/trainB)
  cyclegan-tf check_data --input_dir DIR            summarise a data set and find faults
  cyclegan-tf test --input_dir DIR --output_dir OUT --checkpoint RUN     (DIR/testA, DIR/testB)
  cyclegan-tf evaluate --input_dir DIR --output_dir OUT --checkpoint RUN
  cyclegan-tf evaluate --input_dir OUTPUTS --target_dir TARGETS --output_dir OUT
  cyclegan-tf export --output_dir OUT --checkpoint RUN --direction both
  cyclegan-tf serve --checkpoint RUN --direction both       a web page, and an HTTP API
  cyclegan-tf import --checkpoint OLD --output_dir RUN      weights of other code as a run

`cyclegan-tf train --help` shows only the flags of train; `--mode train` is the same as `train`.
Below, pix2pix.py is affinelayer/pix2pix-tensorflow, and the PyTorch code is
junyanz/pytorch-CycleGAN-and-pix2pix.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs cyclegan-tf; returns the exit code."""
    return cli.run(CycleGANTask(), argv, summary=SUMMARY)


if __name__ == "__main__":
    sys.exit(main())
