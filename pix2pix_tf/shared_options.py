"""The options that pix2pix-tf and cyclegan-tf share; each program adds its own and its defaults.

Reference:
    affinelayer/pix2pix-tensorflow, pix2pix.py; junyanz/pytorch-CycleGAN-and-pix2pix, options/, for
    --netG, --netD, --n_layers_D, --norm, --init_type, --init_gain, --gan_mode and --no_dropout.
    Options that neither has are marked "(new)".
"""

import dataclasses

from pix2pix_tf import options
from pix2pix_tf.errors import InputError
from pix2pix_tf.options import option

MODES = ("train", "test", "evaluate", "export", "demo")
# A number of steps or epochs that leaves room for any product in 64 bits.
MOST_STEPS = 10**12
# The longest side of an image to train on.
MOST_PIXELS = 8192
# The sides of an image must be multiples of this: what the generator halves on its way down.
MULTIPLES = {
    "unet": 2,  # its depth follows from the size
    "unet_256": 256,
    "unet_128": 128,
    "resnet_9blocks": 4,
    "resnet_6blocks": 4,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class SharedOptions:
    """Options of one command; invalid ones raise `InputError` when the object is made."""

    mode: str = option(
        "demo",
        "What to do: train on a folder; test a run on a folder; evaluate (new): FID and more; "
        "export for another runtime; demo (new): draw a small data set, train, test and export.",
        group="Run",
        choices=MODES,
        adopted="never",
    )
    input_dir: str | None = option(None, "Folder with images.", group="Run")
    output_dir: str | None = option(
        None, "Folder that receives what the mode makes.", group="Run", adopted="never"
    )
    checkpoint: str | None = option(
        None,
        "Run folder, or one checkpoint file in it, to continue from (train) or to use "
        "(test, evaluate, export).",
        group="Run",
        adopted="never",
    )
    resume: bool = option(
        False,
        "(new) Continue the run in --output_dir, or start it if there is none: for running the "
        "same command line again.",
        group="Run",
        adopted="never",
    )
    init_from: str | None = option(
        None,
        "(new) Run folder, or one checkpoint file in it, whose weights a new run starts from.",
        group="Run",
        adopted="never",
    )
    seed: int | None = option(
        None,
        "Seed of everything random; drawn and stored when not given.",
        group="Run",
        minimum=0,
        # What numpy.random.seed takes.
        maximum=2**32 - 1,
    )
    deterministic: bool = option(
        False,
        "(new) Only operations that give the same bits in every run, also on accelerators; "
        "slower there.",
        group="Run",
    )
    max_steps: int | None = option(
        None,
        "Step at which training ends, counted from the very first one; 0 for no end.",
        group="Training",
        minimum=0,
        maximum=MOST_STEPS,
    )
    batch_size: int = option(1, "Images per step.", group="Training", minimum=1, maximum=4096)
    lr: float = option(0.0002, "Learning rate of Adam.", group="Training", minimum=0)
    beta1: float = option(
        0.5, "Decay of Adam's first moment.", group="Training", minimum=0, below=1
    )
    precision: str = option(
        "float32",
        "(new) What the networks compute in; weights, statistics, losses and outputs are float32. "
        "mixed_float16 scales the losses.",
        group="Training",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )
    ema_decay: float = option(
        0.0,
        "(new) Decay per step of a moving average of the generator's weights, such as 0.999; "
        "0 for none. Test and export use the average.",
        group="Training",
        minimum=0,
        below=1,
    )
    gan_mode: str = option(
        "vanilla",
        "What the discriminator's verdicts cost: cross-entropy (vanilla), least squares (lsgan) "
        "or Wasserstein (wgangp, without gradient penalty, as in the PyTorch code).",
        group="Training",
        choices=("vanilla", "lsgan", "wgangp"),
    )
    flip: bool = option(True, "Mirror images at random; --no_flip turns it off.", group="Data")
    netG: str = option(
        "unet",
        "Generator: unet is that of pix2pix.py, the others are those of the PyTorch code.",
        group="Model",
        choices=tuple(MULTIPLES),
        adopted="architecture",
    )
    netD: str = option(
        "basic",
        "Discriminator: 70x70 patches (basic), patches of --n_layers_D, or single pixels.",
        group="Model",
        choices=("basic", "n_layers", "pixel"),
        adopted="architecture",
    )
    n_layers_D: int = option(
        3,
        "Layers with stride 2 of --netD n_layers; 3 for 70x70 patches, one more doubles them.",
        group="Model",
        minimum=1,
        # One more would need images of 3 * 2**12 pixels, which are more than MOST_PIXELS.
        maximum=11,
        adopted="architecture",
    )
    norm: str = option(
        "batch",
        "Normalisation in both networks; sync_batch is batch over all devices; instance_affine "
        "(new) learns a scale and an offset per channel, as CycleGAN's first code did.",
        group="Model",
        choices=("batch", "sync_batch", "instance", "instance_affine", "none"),
        adopted="architecture",
    )
    ngf: int = option(
        64,
        "Filters of the generator's first layer.",
        group="Model",
        minimum=1,
        maximum=1024,
        adopted="architecture",
    )
    ndf: int = option(
        64,
        "Filters of the discriminator's first layer.",
        group="Model",
        minimum=1,
        maximum=1024,
        adopted="architecture",
    )
    dropout: bool = option(
        True,
        "Dropout in the generator; --no_dropout builds it without.",
        group="Model",
        adopted="architecture",
    )
    init_type: str = option(
        "normal",
        "How the initial kernels are drawn.",
        group="Model",
        choices=("normal", "xavier", "kaiming", "orthogonal"),
    )
    init_gain: float = option(
        0.02,
        "Standard deviation of the initial weights, or factor of xavier and orthogonal kernels.",
        group="Model",
        above=0,
    )
    progress_freq: int = option(
        50,
        "Steps between progress lines and rows of log.csv; 0 for none.",
        group="Watching",
        minimum=0,
    )
    summary_freq: int = option(
        100, "Steps between TensorBoard summaries; 0 for none.", group="Watching", minimum=0
    )
    display_freq: int = option(
        0,
        "Steps between pictures in the run's index.html; 0 for none.",
        group="Watching",
        minimum=0,
    )
    trace_freq: int = option(
        0, "Steps between profiles for TensorBoard; 0 for none.", group="Watching", minimum=0
    )
    save_freq: int = option(
        5000,
        "Steps between checkpoints; 0 for none at all, not even at the end.",
        group="Watching",
        minimum=0,
    )
    keep_checkpoints: int = option(
        3, "(new) How many checkpoints are kept.", group="Watching", minimum=1
    )
    keep_every: int = option(
        0,
        "(new) Checkpoints of the multiples of this step are kept for ever; 0 for none.",
        group="Watching",
        minimum=0,
    )
    aspect_ratio: float = option(
        1.0,
        "Width divided by height of the pictures that test writes.",
        group="Test and export",
        above=0,
        adopted="never",
    )
    test_dropout: bool = option(
        True,
        "(new) Keep dropout on in test as the references do, seeded by --seed; "
        "--notest_dropout turns it off.",
        group="Test and export",
    )
    ema: bool = option(
        True,
        "(new) Use the averaged weights of a run that has them (--ema_decay); --noema refuses.",
        group="Test and export",
        adopted="never",
    )
    output_filetype: str = option(
        "png",
        "Encoding of the pictures that an export returns.",
        group="Test and export",
        choices=("png", "jpeg"),
        adopted="never",
    )
    export_format: str = option(
        "saved_model",
        "(new) What export writes: saved_model for TensorFlow and its servers; litert (extra "
        "[litert]) and onnx (extra [onnx]) for their runtimes; keras, a model of Keras' own "
        "layers; pict for the reference's browser demo.",
        group="Test and export",
        choices=("saved_model", "litert", "onnx", "keras", "pict"),
        adopted="never",
    )
    quantize: str = option(
        "none",
        "(new) Store the weights of --export_format litert in half (float16) or a quarter (int8).",
        group="Test and export",
        choices=("none", "float16", "int8"),
        adopted="never",
    )

    def __post_init__(self):
        options.check(self)
        self._check_needs()
        if self.checkpoint and (self.resume or self.init_from):
            raise InputError("Expected one of --checkpoint, --resume, --init_from. Received: more")
        if self.keep_every % max(self.save_freq, 1) or (self.keep_every and not self.save_freq):
            raise InputError(
                "Expected --keep_every to be a multiple of --save_freq. Received: "
                f"{self.keep_every} and {self.save_freq}"
            )

    def _check_needs(self):
        """Refuses a command that says less than its mode needs."""
        if self.mode == "demo":
            self._refuse("input_dir", "checkpoint")
        if self.mode in ("train", "test", "evaluate"):
            self._require_input()
        if self.mode in ("test", "export", "serve"):
            self._require("checkpoint")
        if self.mode not in ("demo", "serve"):
            self._require("output_dir")

    def _require_input(self):
        self._require("input_dir")

    def _require(self, name):
        if not getattr(self, name):
            raise InputError(f"Expected --{name} with --mode {self.mode}. Received: nothing")

    def _refuse(self, *names):
        for name in names:
            if getattr(self, name):
                raise InputError(
                    f"Expected no --{name} with --mode demo, which makes its own data. "
                    f"Received: {getattr(self, name)}; name --mode train, test or export"
                )
