"""`--check_data`: reads the whole data set and prints a summary."""

from collections.abc import Collection
from typing import Any

from pix2pix_tf.commands import runs
from pix2pix_tf.commands.program import Program
from pix2pix_tf.data import check


def check_data(program: Program, config: Any, explicit: Collection[str]) -> int:
    """Prints a data set's contents and its faults; 1 means that training or testing would fail."""
    runs.warn_without_effect(config, explicit)
    config = runs.unpack(config, is_paired=program.is_paired)
    lines, usable = check.report(program.data_sets(config))
    inside = config.recursive or not config.input_dir or check.has_images(config.input_dir)
    if program.is_paired and not inside:
        usable = False
        lines[-1] = (
            f"training or testing would fail: {config.input_dir} contains no images itself; "
            f"--input_dir {next(iter(check.data_sets(config.input_dir).values()))}"
        )
    print("\n".join(lines))
    return 0 if usable else 1
