"""What the commands need to know of a program: pix2pix-tf and cyclegan-tf differ in this alone."""

import dataclasses

from pix2pix_tf.config import Config


@dataclasses.dataclass(frozen=True, kw_only=True)
class Program:
    """One of the two programs, as its cli hands it to the commands.

    Functions in it import TensorFlow when they are called, not before.

    Attributes:
        name: Name of the command; options.json stores it.
        title: What reports call the method.
        config_class: Dataclass of the options.
        summary: Paragraphs that `--help` shows.
    """

    name: str
    title: str
    config_class: type[Config]
    summary: str
