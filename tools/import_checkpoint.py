"""Makes a run folder of weights that another program trained.

Usage: python tools/import_checkpoint.py --source DIR_OR_FILE --output_dir RUN [flags]

It calls `pix2pix-tf import` or `cyclegan-tf import`, whichever the weights are for. The source is
one of
- a TensorFlow 1 checkpoint of affinelayer/pix2pix-tensorflow (its folder, or model-N.index), with
  Adam's state, so that training can be resumed;
- state dicts of junyanz/pytorch-CycleGAN-and-pix2pix (their folder, or latest_net_G.pth and the
  like; other networks of the same epoch beside it are imported as well);
- a .pict file of the reference's browser demo: its generator alone.

The architecture is inferred from the weights. RUN is then a run like any other: test it, export
it, or resume it with --mode train --checkpoint RUN. Nothing in a source is executed.
"""

from __future__ import annotations

import _cli
from absl import flags

import cyclegan_tf.cli
import pix2pix_tf.cli
from pix2pix_tf.errors import print_line
from pix2pix_tf.training import runtime

FLAGS = flags.FlagValues()
flags.DEFINE_string("source", None, "what to import", flag_values=FLAGS)
flags.DEFINE_string("output_dir", None, "the run folder to make", flag_values=FLAGS)
flags.DEFINE_enum(
    "program",
    None,
    ["pix2pix-tf", "cyclegan-tf"],
    "which program the run is for; needed only for a generator without a discriminator",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "direction",
    None,
    ["AtoB", "BtoA"],
    "direction that the generator was trained in; needed only if the source does not name it",
    flag_values=FLAGS,
)


def main() -> int:
    """Imports what the flags name; returns the exit code."""
    program = FLAGS.program
    if program is None:
        runtime.load_tensorflow()
        from pix2pix_tf.extras.porting import reader

        imported = reader.read_source(FLAGS.source)
        program = imported.program
        for note in imported.notes:
            if "--program" in note:
                print_line("note:", note)
    words = ["import", f"--checkpoint={FLAGS.source}", f"--output_dir={FLAGS.output_dir}"]
    flag, command = "which_direction", pix2pix_tf.cli.main
    if program == "cyclegan-tf":
        flag, command = "direction", cyclegan_tf.cli.main
    if FLAGS.direction:
        words.append(f"--{flag}={FLAGS.direction}")
    return command(words)


if __name__ == "__main__":
    _cli.run(main, FLAGS, usage=__doc__, required=["source", "output_dir"])
