"""Lists, decodes and checks the images of a command."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from pix2pix_tf import run_folder
from pix2pix_tf.config import Config, Pix2PixConfig
from pix2pix_tf.data import check, listing
from pix2pix_tf.data.check import Contents
from pix2pix_tf.data.listing import Example
from pix2pix_tf.data.samples import Side, parse_percentiles
from pix2pix_tf.errors import print_line

# Beside options.json: the types of the files of A and B that a run was trained on.
DATA = "data.json"


def _file_sides(config: Any, domains: Sequence[str]) -> tuple[tuple[Side, ...], ...]:
    """For each file of an example, whose domains are given, what is made of it."""
    if getattr(config, "lab_colorization", False):
        return ((Side(selection=config.sides[0].selection),),)
    sides = dict(zip("AB", config.sides, strict=True))
    return tuple(tuple(sides[domain] for domain in letters) for letters in domains)


def paired(config: Pix2PixConfig, folder: str | os.PathLike | None) -> Contents:
    """Lists a data set of pix2pix."""
    if config.lab_colorization:
        domains: tuple[str, ...] = ("A",)
    else:
        single = config.which_direction[0]
        domains = {"aligned": ("AB",), "folders": ("A", "B"), "single": (single,)}[
            config.dataset_mode
        ]
    recursive = config.recursive
    examples: Sequence[Example]
    if config.dataset_mode == "folders":
        is_main = folder == config.input_dir
        given = (config.input_dir_A, config.input_dir_B) if is_main else (None, None)
        places = listing.folders_of_pairs(folder, given)
        examples = listing.list_pairs(*places, by=config.pair_by, recursive=recursive)
    else:
        places = [folder or ""]
        examples = listing.list_images(places[0], recursive=recursive)
    lines = [listing.unread(place, recursive=recursive) for place in places]
    return Contents(
        examples,
        _file_sides(config, domains),
        domains,
        unread="; ".join(filter(None, lines)) or None,
    )


def unpaired(config: Any, folder: str | os.PathLike, domain: str) -> Contents:
    """Lists the images of domain "A" or "B" of CycleGAN."""
    return Contents(
        listing.list_images(folder, recursive=config.recursive),
        _file_sides(config, (domain,)),
        (domain,),
        unread=listing.unread(folder, recursive=config.recursive),
    )


def checked(config: Config, contents: Contents, *, direction: str | None = None) -> list[Example]:
    """Decodes every file once, prints notes and returns the usable examples.

    Raises:
        InputError: If a file cannot be used, unless `config.skip_bad_files`.
    """
    is_whole = config.preprocess != "none" or getattr(config, "lab_colorization", False)
    looks = contents.survey(windowed=bool(config.tile) and not is_whole)
    examples = listing.usable(contents.examples, looks, skip=config.skip_bad_files)
    for line in check.notes(contents, looks, direction=direction):
        print_line(line)
    return examples


def training_examples(
    config: Any, sets: list[Contents], *, direction: str | None = None
) -> tuple[Any, list[list[Example]], dict[str, str]]:
    """Decodes every training file once, prints notes and resolves percentiles.

    Args:
        config: Configuration of a run that is about to be trained.
        sets: The training sets.
        direction: As of `check.notes`.

    Returns:
        (`config` with values instead of percentiles, the usable examples of each set, the type of
        the files of each domain).

    Raises:
        InputError: If a file cannot be used, unless `config.skip_bad_files`.
    """
    percentiles = {
        domain: parse_percentiles(text)
        for domain, text in zip("AB", config.range_texts, strict=True)
    }
    types: dict[str, str] = {}
    surveyed = []
    for contents in sets:
        letters = sorted({letter for letters in contents.domains for letter in letters})
        wanted = {letter: found for letter in letters if (found := percentiles[letter])}
        looks = contents.survey(
            sampled=check.samples_per_file(len(contents.examples)) if wanted else 0
        )
        surveyed.append(
            (looks, listing.usable(contents.examples, looks, skip=config.skip_bad_files))
        )
        types |= check.types(looks, contents.domains)
        for letter, between in wanted.items():
            low, high = check.percentile_range(looks, contents.domains, letter, between)
            config = dataclasses.replace(
                config, **{f"value_range_{letter}": f"{low:.9g},{high:.9g}"}
            )
    for contents, (looks, _) in zip(sets, surveyed, strict=True):
        resolved = dataclasses.replace(contents, sides=_file_sides(config, contents.domains))
        for line in check.notes(resolved, looks, direction=direction):
            print_line(line)
    return config, [examples for _, examples in surveyed], types


def store_types(folder: str | os.PathLike, found: dict[str, str]) -> None:
    """Writes the file types of each domain to a run folder, for the types of results."""
    run_folder.write_json(run_folder.place(folder) / DATA, {"types": found})


def types(checkpoint: str | os.PathLike) -> dict[str, str]:
    """The types of the files of A and B that a run was trained on; empty for older runs.

    Args:
        checkpoint: A run folder, or one checkpoint file in it.
    """
    folder, _ = run_folder.locate(checkpoint)
    path = run_folder.place(folder) / DATA
    return run_folder.read_json(path).get("types", {}) if path.is_file() else {}
