"""`--check_data`: reads the whole data set and prints a summary."""

from collections.abc import Collection

from pix2pix_tf.commands import runs
from pix2pix_tf.data import check
from pix2pix_tf.task import ConfigT, ModelT, Task


def check_data(task: Task[ConfigT, ModelT], config: ConfigT, explicit: Collection[str]) -> int:
    """Prints a data set's contents and its faults; 1 means that training or testing would fail."""
    runs.warn_without_effect(config, explicit)
    config = task.unpack_data(config)
    lines, usable = check.report(task.data_sets(config))
    folder = config.input_dir
    if task.is_paired and folder and not config.recursive and not check.has_images(folder):
        usable = False
        lines[-1] = (
            f"training or testing would fail: {folder} contains no images itself; "
            f"--input_dir {next(iter(check.data_sets(folder).values()))}"
        )
    print("\n".join(lines))
    return 0 if usable else 1
