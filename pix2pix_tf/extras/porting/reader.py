"""Reads weights of other programs, whichever it is."""

from pathlib import Path

from pix2pix_tf.errors import InputError
from pix2pix_tf.extras.porting import tf1, torch
from pix2pix_tf.extras.porting.imported import Imported


def read_source(
    source: str | Path, *, program: str | None = None, direction: str | None = None
) -> Imported:
    """Reads weights of another program; the files show which one.

    Args:
        source: A folder, or one file in it: a TensorFlow 1 checkpoint of
            affinelayer/pix2pix-tensorflow, a .pict file of its browser demo, or state dicts (.pth)
            of junyanz/pytorch-CycleGAN-and-pix2pix.
        program: "pix2pix-tf" or "cyclegan-tf" where the source does not name it, or None.
        direction: "AtoB" or "BtoA" where the source does not name it, or None.

    Returns:
        `Imported`.

    Raises:
        InputError: If there is no such source, or it is damaged, or its networks are others.
    """
    source = Path(source)
    if source.suffix == ".pict":
        return tf1.read_pict(_existing(source), direction=direction)
    if files := torch.find_state_dicts(source):
        return torch.read_networks(files, program=program, direction=direction)
    if prefix := tf1.find_checkpoint(source):
        return tf1.read_checkpoint(prefix, direction=direction)
    raise InputError(
        "Expected a TensorFlow 1 checkpoint (NAME.index), PyTorch state dicts (NAME_net_G.pth) or "
        f"a .pict file in {_existing(source)}. Received: none of them"
    )


def _existing(source: Path) -> Path:
    if not source.exists():
        raise InputError(f"there is no file or folder {source} to import")
    return source
