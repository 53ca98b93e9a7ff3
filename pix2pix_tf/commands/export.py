"""`--mode export`: writes the generators of a run for another runtime."""

from collections.abc import Collection
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.commands import runs
from pix2pix_tf.commands.program import Program
from pix2pix_tf.training import runtime


def export(program: Program, config: Any, explicit: Collection[str]) -> int:
    """Writes each generator in `config.export_format`; several into folders of their names.

    Args:
        program: The program.
        config: Its options.
        explicit: Names of the options that were given.

    Returns:
        The exit code.
    """
    config, checkpoint = runs.use_run(config, explicit, program=program.name)
    folder = run_folder.local(config.output_dir, flag="--output_dir", mode="export")
    with run_folder.locked(folder):
        runs.announce(config, explicit)
        runtime.load_tensorflow()

        from pix2pix_tf.export import formats

        for name, (generator, served) in program.served(config, checkpoint).items():
            exported = formats.export(
                generator,
                served,
                folder / name,
                export_format=config.export_format,
                quantize=config.quantize,
            )
            print(exported)
        made = runs.run_options(config, program=program.name)
        run_folder.write_json(folder / f"export_{run_folder.OPTIONS}", made)
    return 0
