"""Writes the page of all options, docs/options.md, from the dataclasses that define them.

Usage: python scripts/options_page.py [--output_file FILE]
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from absl import flags

from cyclegan_tf.config import CycleGANConfig
from pix2pix_tf.config import Pix2PixConfig
from pix2pix_tf.options import description, type_name

sys.path.append(str(Path(__file__).parents[1] / "tools"))

import _cli

FLAGS = flags.FlagValues()
flags.DEFINE_string("output_file", "docs/options.md", "where to", flag_values=FLAGS)

PROGRAMS = {"pix2pix-tf": Pix2PixConfig, "cyclegan-tf": CycleGANConfig}
# The flags that are changed most often, and what for.
OFTEN = {
    "input_dir": "the images; `--output_dir` is where the results go",
    "checkpoint": "the run that test, evaluate, export and serve use",
    "which_direction": "`BtoA` translates the right half of a pair to the left one; `cyclegan-tf` "
    "has `--direction`, also `both`",
    "max_epochs": "when training ends; the paper trains facades for 200; `cyclegan-tf` has "
    "`--n_epochs` and `--n_epochs_decay`",
    "batch_size": "images per step; the references use 1, more use a GPU better",
    "crop_size": "size of the images in training, with `--scale_size` a little larger",
    "ngf": "with `--ndf`: filters, and so memory, time and detail; 16 instead of 64 to try things",
    "val_dir": "images that are measured during training; the best checkpoint is kept",
    "resume": "continue the run in `--output_dir`, with the flags that it was started with",
    "input_channels": "with `--output_channels`: what the files contain, if not RGB",
}
HEAD = """# Every option

## Ten that matter

{often}

## How to read the tables

Written by `python scripts/options_page.py`; `pix2pix-tf --help` and `cyclegan-tf --help` show the
same, `pix2pix-tf train --help` only what matters for a mode. A program without a default here does
not have the option; `none` means that nothing is set. `--noNAME` or `--no_NAME` turns off boolean
flags.
"""


def page() -> str:
    """The whole page in Markdown."""
    fields, sections = {}, {}
    for program, config in PROGRAMS.items():
        for field in dataclasses.fields(config):
            fields.setdefault(field.name, {})[program] = field
            sections[field.metadata["section"]] = None  # a set in order
    assert fields.keys() >= OFTEN.keys(), "a flag has another name"
    often = "\n".join(f"- `--{name}`: {text}" for name, text in OFTEN.items())
    lines = [HEAD.format(often=often).rstrip()]
    for section in sections:
        lines += ["", f"## {section}", "", f"| flag | {' | '.join(PROGRAMS)} | meaning |"]
        lines.append("|---" * (len(PROGRAMS) + 2) + "|")
        lines += [
            _row(name, found)
            for name, found in fields.items()
            if next(iter(found.values())).metadata["section"] == section
        ]
    return "\n".join(lines) + "\n"


def _row(name: str, found: dict) -> str:
    """One option's line; where the programs differ, what each says."""
    defaults = [_default(found[program]) if program in found else "" for program in PROGRAMS]
    texts = list(dict.fromkeys(map(description, found.values())))
    if len(texts) > 1:
        texts = [f"{program}: {description(field)}" for program, field in found.items()]
    rules = dict.fromkeys(_rule(field) for field in found.values())
    meaning = " ".join([*texts, *filter(None, rules)]).replace("|", "\\|")
    return f"| `--{name}` | {' | '.join(defaults)} | {meaning} |"


def _default(field: dataclasses.Field) -> str:
    return "none" if field.default is None else f"`{field.default}`"


def _rule(field: dataclasses.Field) -> str:
    """The type and the range of an option, in brackets."""
    rule = field.metadata
    if rule["choices"]:
        return f"[{', '.join(rule['choices'])}]"
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    limits = [f"{words[name]} {rule[name]:,}" for name in words if rule[name] is not None]
    kind = type_name(field)
    return "" if kind in ("bool", "str") else f"[{', '.join([kind, *limits])}]"


def main() -> None:
    """Writes the page."""
    _cli.write_page(Path(FLAGS.output_file), page())


if __name__ == "__main__":
    _cli.run(main, FLAGS, usage=__doc__)
