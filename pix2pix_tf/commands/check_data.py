"""`--check_data`: reads a whole data set and reports on it."""

from collections.abc import Collection
from typing import Any

from pix2pix_tf.commands import runs
from pix2pix_tf.commands.program import Program
from pix2pix_tf.data import check, codecs


def check_data(program: Program, config: Any, explicit: Collection[str]) -> int:
    """Prints what a data set contains and what is wrong with it.

    Args:
        program: The program.
        config: Its options.
        explicit: Names of the options that were given.

    Returns:
        The exit code: 1 if training or testing would fail.
    """
    runs.warn_without_effect(config, explicit)
    config = program.unpack(config)
    lines, usable = check.report(
        program.data_sets(config),
        minimum_width=config.minimum_width,
        value_range=codecs.parse_range(config.value_range),
    )
    print("\n".join(lines))
    return 0 if usable else 1
