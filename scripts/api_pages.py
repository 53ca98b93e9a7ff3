"""Writes the pages of the public API as HTML, from the docstrings, with pdoc (extra [dev]).

Usage: python scripts/api_pages.py --output_dir DIR
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from absl import flags

sys.path.append(str(Path(__file__).parents[1] / "tools"))

import _cli

FLAGS = flags.FlagValues()
flags.DEFINE_string("output_dir", None, "folder for the pages", flag_values=FLAGS)

PACKAGES = ("pix2pix_tf", "cyclegan_tf")
CALLBACKS = "pix2pix_tf.training.callbacks"


def main() -> None:
    """Writes a page for each package and one for the callbacks."""
    import pdoc
    import pdoc.render

    from pix2pix_tf.training import runtime

    runtime.import_tensorflow()

    for name in PACKAGES:
        package = importlib.import_module(name)
        for public in package.__all__:
            # pdoc does not call a module's __getattr__.
            setattr(package, public, getattr(package, public))
    # The packages without their modules, which are not public.
    modules = [spec for name in PACKAGES for spec in (name, rf"!{name}\.")]
    pdoc.render.configure(docformat="google")
    pdoc.pdoc(*modules, CALLBACKS, output_directory=Path(FLAGS.output_dir))
    print(f"wrote {Path(FLAGS.output_dir) / 'index.html'}")


if __name__ == "__main__":
    _cli.run(main, FLAGS, usage=__doc__, required=["output_dir"])
