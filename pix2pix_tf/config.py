"""Every option of both programs, by section, then those of pix2pix-tf alone.

Reference:
    affinelayer/pix2pix-tensorflow, pix2pix.py, for names and defaults. junyanz/
    pytorch-CycleGAN-and-pix2pix, options/, for --netG, --netD, --n_layers_D, --norm, --init_type,
    --init_gain, --gan_mode, --no_dropout, --preprocess, --crop_size, --dataset_mode, --input_nc
    and --output_nc.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pix2pix_tf import options, run_folder
from pix2pix_tf.data import sizes
from pix2pix_tf.data.samples import AUTO, DomainSpec, PlaneSelection, parse_percentiles, parse_range
from pix2pix_tf.errors import OptionError
from pix2pix_tf.options import option

if TYPE_CHECKING:
    from pix2pix_tf.data.decode import ExampleFormat

PROGRAM = "pix2pix-tf"
MODES = ("train", "test", "evaluate", "export", "serve", "import", "demo")
TESTING = ("test", "evaluate")
# Commands that are no modes: the comparison of two folders by evaluate, and the data check.
COMPARE, CHECK_DATA = "compare", "check_data"
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
SINGLE, MIRRORED, MULTI_WORKER = "one", "mirrored", "multi_worker"
# Of pairs, of pairs of label maps, of sets.
METRICS = (
    *("l1", "psnr", "ssim", "ms_ssim", "mae", "nrmse", "pearson", "lpips", "hed_distance"),
    *("labels", "recovery", "checkerboard", "swd", "spectrum", "hed_kid"),
    *("fid", "kid"),
)

# The sections of the options, and whether runs hand theirs on.
run_option = partial(option, section="Run", inherit="never")
training_option = partial(option, section="Training")
data_option = partial(option, section="Data", inherit="data")
model_option = partial(option, section="Model", inherit="architecture")
monitoring_option = partial(option, section="Monitoring")
output_option = partial(option, section="Test and export", inherit="never")
evaluate_option = partial(option, section="Evaluate", inherit="never")
devices_option = partial(option, section="Devices", inherit="never")
serve_option = partial(option, section="Serve", inherit="never")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
    """The options that a command takes; each attribute but the last is words with spaces between.

    Attributes:
        sections: Sections of which it takes every option.
        without: Options in them that it does not take.
        extra: Further options; of them a program takes those that it has.
        needs: Options that it requires.
        uses_run: Whether it uses a run, which determines the architecture and, where flags are
            omitted, how data are read.
    """

    sections: str = ""
    without: str = ""
    extra: str = ""
    needs: str = ""
    uses_run: bool = False


_RANGES = "direction value_range value_range_A value_range_B"
_NETWORKS = f"{_RANGES} which_direction lab_colorization input_channels output_channels"
_PAIRS = "dataset_mode input_dir_A input_dir_B pair_by"
_TRANSLATES = "test_dropout tile scratch_dir"
_TESTS = f"batch_size precision ema {_TRANSLATES}"
_EXPORTS = "ema output_filetype export_format quantize web_runtime"
_ONLY_TRAINS = "resume init_from flip cache init_type init_gain"
# The one table of what each command takes. Help, warnings of flags without effect and the options
# that a command prints follow from it.
COMMANDS = {
    "train": Command(
        sections="Run Training Data Model Monitoring Devices",
        extra=_TRANSLATES,
        needs="input_dir output_dir",
    ),
    "test": Command(
        sections="Run Data Model",
        without=_ONLY_TRAINS,
        extra=f"{_TESTS} aspect_ratio",
        needs="input_dir checkpoint output_dir",
        uses_run=True,
    ),
    "evaluate": Command(
        sections="Run Data Model Evaluate",
        without=_ONLY_TRAINS,
        extra=_TESTS,
        needs="input_dir output_dir",
        uses_run=True,
    ),
    COMPARE: Command(
        sections="Evaluate",
        extra=f"input_dir output_dir seed plane series {_RANGES}",
        needs="input_dir output_dir",
    ),
    "export": Command(
        sections="Model",
        without="init_type init_gain",
        extra=f"input_dir output_dir checkpoint precision crop_size {_NETWORKS} {_EXPORTS} "
        "image_size web_single_file",
        needs="checkpoint output_dir",
        uses_run=True,
    ),
    "serve": Command(
        sections="Serve",
        extra=f"checkpoint precision ema output_filetype tile scratch_dir {_RANGES}",
        needs="checkpoint",
        uses_run=True,
    ),
    "import": Command(
        extra="output_dir checkpoint direction which_direction", needs="checkpoint output_dir"
    ),
    "demo": Command(
        sections="Training Data Model Monitoring Devices",
        without=f"{_PAIRS} direction",
        extra=f"output_dir seed deterministic aspect_ratio {_TRANSLATES} {_EXPORTS}",
    ),
    CHECK_DATA: Command(
        extra=f"input_dir plane series nodata label_palette one_hot recursive {_NETWORKS} {_PAIRS}",
        needs="input_dir",
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Options of one command; invalid ones raise `InputError` when the object is made.

    This class contains those that both programs have.
    """

    COMMANDS: ClassVar[Mapping[str, Command]] = COMMANDS
    # The run in the package that export and serve use when --checkpoint is omitted, or None.
    PRETRAINED: ClassVar[Path | None] = None
    # As `sizes.ResizeSpec` takes it, and the option that gives `scale_size`.
    resize_method, scale_option = "area", "scale_size"
    # Options of pix2pix-tf, which other programs do without.
    lab_colorization = False

    # Run
    mode: str = option(
        "demo",
        "What to do. train: train a model on a folder of images. test: translate a folder with "
        "a run. evaluate: measure a run, or a folder of images, by FID and other metrics. "
        "export: convert a run for another runtime. serve: serve runs over HTTP. import: make a "
        "run of weights that other code trained. demo: draw a small data set, train, test and "
        "export.",
        section="Run",
        choices=MODES,
        inherit="never",
    )
    input_dir: Path | None = option(None, "Folder of images.", section="Run")
    output_dir: Path | None = run_option(None, "Folder for the results.")
    checkpoint: Path | None = run_option(
        None,
        "Run folder, or one checkpoint file in it: the run to resume (train) or to use (test, "
        "evaluate, export). For serve, any number of runs and SavedModels, PATH or NAME=PATH, "
        "separated by commas, or a folder of them. For import, what to import: a TensorFlow 1 "
        "checkpoint, .pth files or a .pict file.",
    )
    resume: bool = run_option(
        False,
        "Resume the run in --output_dir, or start it if there is none, so that the same command "
        "line can be repeated.",
    )
    init_from: Path | None = run_option(
        None, "Run folder, or one checkpoint file in it, whose weights initialise a new run."
    )
    seed: int | None = option(
        None,
        "Seed of all random numbers; when omitted, one is drawn and stored.",
        section="Run",
        ge=0,
        # What numpy.random.seed takes.
        le=2**32 - 1,
    )
    deterministic: bool = option(
        False,
        "Use only deterministic operations: equal runs give equal bits, also on GPUs, where it "
        "is slower.",
        section="Run",
    )

    # Training
    max_steps: int | None = training_option(
        None,
        "Step at which training ends, counted from the first step of the run; 0 for no limit.",
        ge=0,
        le=MOST_STEPS,
    )
    batch_size: int = training_option(1, "Images per step.", ge=1, le=4096)
    lr: float = training_option(0.0002, "Learning rate of Adam.", ge=0)
    beta1: float = training_option(0.5, "Decay of Adam's first moment.", ge=0, lt=1)
    precision: str = training_option(
        "float32",
        "Type that the networks compute in; weights, statistics, losses and outputs are float32. "
        "mixed_float16 scales the losses.",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )
    ema_decay: float = training_option(
        0.0,
        "Decay per step of a moving average of the generator's weights, such as 0.999; 0 turns "
        "averaging off. Test and export use the average.",
        ge=0,
        lt=1,
    )
    gan_mode: str = training_option(
        "vanilla",
        "Loss on the discriminator's logits: cross-entropy (vanilla), least squares (lsgan) or "
        "Wasserstein (wgangp, without gradient penalty, as in the PyTorch code).",
        choices=("vanilla", "lsgan", "wgangp"),
    )
    run_eagerly: bool = training_option(
        False,
        "Do not compile updates into graphs: a debugger can step through them, and runs of a few "
        "steps start sooner.",
        inherit="never",
    )

    # Data
    flip: bool = data_option(
        True, "Flip images horizontally at random; --no_flip turns it off.", inherit="run"
    )
    preprocess: str = data_option(
        "resize_and_crop",
        "How images get their size in training: resized to --scale_size and cropped at random; "
        "only cropped; scaled to the width of --scale_size, without or with a crop; or unchanged. "
        "Without a crop, sides are rounded to what the generator takes. Test resizes to "
        "--crop_size with resize_and_crop, to the width of --scale_size with scale_width*, and "
        "keeps the size of every image with crop and none.",
        choices=sizes.PREPROCESS,
    )
    crop_size: sizes.Size = data_option(
        256,
        "Size of the random crops in pixels, one number or HxW. It sets the depth of --netG unet: "
        "8 halvings for 256, down to 1x1 for powers of two, else as many as both sides allow.",
        ge=1,
        le=MOST_PIXELS,
        inherit="architecture",
    )
    input_channels: int = data_option(
        3,
        "Channels of the input. 1, 3 and 4 are converted from what files have; other numbers must "
        "match the files.",
        alias="input_nc",
        ge=1,
        le=1024,
        inherit="architecture",
    )
    output_channels: int = data_option(
        3, "Channels of the output.", alias="output_nc", ge=1, le=1024, inherit="architecture"
    )
    value_range: str = data_option(
        AUTO,
        "LOW,HIGH: the values in files, of any type, that mean black and white; values beyond are "
        "clipped. pLOW,pHIGH: percentiles over all training files, such as p0.1,p99.9, measured "
        "once. LOW,HIGH:LOW,HIGH for A and B. auto: the whole range of an integer type, 0,1 of "
        "floats.",
    )
    value_range_A: str | None = data_option(None, "--value_range of A alone.")
    value_range_B: str | None = data_option(None, "--value_range of B alone.")
    plane: int | None = data_option(
        None,
        "Plane that is read from files with several (Z, T, pages or frames), counted from 0.",
        ge=0,
    )
    series: int | None = data_option(
        None,
        "Series that is read from TIFF files with several, or volume of NIfTI files, counted from "
        "0.",
        ge=0,
    )
    nodata: str | None = data_option(
        None,
        "Value of missing pixels, or nan, in addition to what GeoTIFF and DICOM files declare. The "
        "networks see black there; results get the value back.",
    )
    label_palette: str | None = data_option(
        None,
        "Colours of grey integer files that contain label ids: facades, cityscapes, or a text file "
        "with a line RED GREEN BLUE NAME per id, whose colours the run stores.",
    )
    one_hot: bool = data_option(
        False,
        "Turn label ids in grey integer files into one channel each; --input_channels (or "
        "--output_channels) is their number.",
    )
    recursive: bool = data_option(False, "Also read nested folders.", inherit="run")
    skip_bad_files: bool = data_option(
        False, "Skip unreadable files and print their names, instead of stopping.", inherit="run"
    )
    cache: str = data_option(
        "none",
        "Keep decoded images in memory or on disk (in --output_dir); augmentation is re-sampled "
        "every epoch.",
        choices=("none", "memory", "disk"),
        inherit="run",
    )
    check_data: bool = data_option(
        False,
        "Only check the data set: print counts, sizes, channels, unusable files, odd widths, "
        "and images that are in both training and test. Exit code 1 if training or test would "
        "fail.",
        inherit="never",
    )

    # Model
    netG: str = model_option(
        "unet",
        "Generator: unet is that of pix2pix.py, the others are those of the PyTorch code.",
        choices=tuple(MULTIPLES),
    )
    netD: str = model_option(
        "basic",
        "Discriminator: 70x70 patches (basic), patches of --n_layers_D, or single pixels.",
        choices=("basic", "n_layers", "pixel"),
    )
    n_layers_D: int = model_option(
        3,
        "Layers with stride 2 of --netD n_layers; 3 for 70x70 patches, one more doubles them.",
        ge=1,
        # One more would need images of 3 * 2**12 pixels, which are more than MOST_PIXELS.
        le=11,
        only_with="netD=n_layers",
    )
    norm: str = model_option(
        "batch",
        "Normalisation in both networks; sync_batch is batch over all devices; instance_affine "
        "learns a scale and an offset per channel, as CycleGAN's first code did.",
        choices=("batch", "sync_batch", "instance", "instance_affine", "none"),
    )
    ngf: int = model_option(64, "Filters of the generator's first layer.", ge=1, le=1024)
    ndf: int = model_option(64, "Filters of the discriminator's first layer.", ge=1, le=1024)
    dropout: bool = model_option(True, "Dropout in the generator; --no_dropout builds it without.")
    init_type: str = model_option(
        "normal",
        "Distribution of the initial kernels.",
        choices=("normal", "xavier", "kaiming", "orthogonal"),
        inherit="run",
    )
    init_gain: float = model_option(
        0.02,
        "Standard deviation of the initial weights, or factor of xavier and orthogonal kernels.",
        gt=0,
        inherit="run",
    )

    # Monitoring
    progress_freq: int = monitoring_option(
        50, "Steps between progress lines and rows of log.csv; 0 for none.", ge=0
    )
    summary_freq: int = monitoring_option(
        100, "Steps between TensorBoard summaries; 0 for none.", ge=0
    )
    display_freq: int = monitoring_option(
        0, "Steps between images in the run's index.html; 0 for none.", ge=0
    )
    trace_freq: int = monitoring_option(
        0, "Steps between profiles for TensorBoard; 0 for none.", ge=0
    )
    save_freq: int = monitoring_option(
        5000, "Steps between checkpoints; 0 for none at all, not even at the end.", ge=0
    )
    keep_checkpoints: int = monitoring_option(
        3, "Number of the newest checkpoints to keep.", ge=1, only_with="save_freq"
    )
    keep_every: int = monitoring_option(
        0, "Also keep the checkpoints of the multiples of this step; 0 for none.", ge=0
    )

    # Test and export
    aspect_ratio: float = output_option(
        1.0, "Width divided by height of the images that test writes.", gt=0
    )
    test_dropout: bool = output_option(
        True,
        "Keep dropout on in test, as the references do, seeded by --seed; --notest_dropout turns "
        "it off.",
        inherit="run",
        only_with="dropout",
    )
    ema: bool = output_option(
        True,
        "Use the averaged weights of a run that has them (--ema_decay); --noema uses the weights "
        "of the last step.",
    )
    output_filetype: str = output_option(
        "png",
        "Encoding of the images that an export returns.",
        choices=("png", "jpeg"),
        only_with="export_format=saved_model",
    )
    export_format: str = output_option(
        "saved_model",
        "What export writes: saved_model for TensorFlow and its servers; litert (extra [litert]) "
        "and onnx (extra [onnx]) for their runtimes; keras, a model of Keras' own layers; pict "
        "for the reference's browser demo; web (extra [web]), a page that translates in any "
        "browser.",
        choices=("saved_model", "litert", "onnx", "keras", "pict", "web"),
    )
    quantize: str | None = output_option(
        None,
        "Store the weights of --export_format litert or web in half (float16) or a quarter (int8); "
        "when omitted float16 for web, none for litert. int8_calibrated, for litert with "
        "--image_size, also fixes the scales of the convolutions' inputs, by 64 images of the "
        "run's --input_dir, for hardware that needs them fixed.",
        choices=("none", "float16", "int8", "int8_calibrated"),
    )
    image_size: sizes.Size | None = output_option(
        None,
        "Size in pixels, one number or HxW, of the one image that --export_format litert takes at "
        "a time; when omitted any number of any size, for which LiteRT is slower.",
        ge=1,
        le=MOST_PIXELS,
    )
    web_single_file: bool = output_option(
        True,
        "With --export_format web write one file that opens by a double click; "
        "--noweb_single_file writes a folder for a web host.",
        only_with="export_format=web",
    )
    web_runtime: Path | None = output_option(
        None,
        "Folder with the npm package onnxruntime-web, packed or unpacked, for --export_format web; "
        "when omitted it is downloaded once and kept in the user's cache.",
    )
    tile: int = output_option(
        0,
        "Translate images with a side of more than so many pixels in the memory that a tile of "
        "this size needs; 0 for no bound. The result is that of the whole image.",
        ge=0,
    )
    scratch_dir: Path | None = output_option(
        None,
        "Folder for the feature maps that --tile does not keep in memory; by default the system's "
        "for temporary files. Nothing stays in it.",
        only_with="tile",
    )

    # Evaluate
    target_dir: Path | None = evaluate_option(
        None,
        "Folder of target images. Without --checkpoint the images in --input_dir are measured "
        "against it, as pairs where both have the same names; with it, it is the target set of "
        "FID and KID.",
    )
    metrics: str | None = evaluate_option(
        None,
        "What to measure, separated by commas. Of pairs: l1, psnr, ssim, ms_ssim, mae (in the "
        "units of the files), nrmse, pearson, lpips, hed_distance and labels; of sets: fid, kid, "
        "checkerboard, swd, spectrum, hed_kid; of inputs and outputs: recovery. lpips, fid and "
        "kid need the extra [metrics], hed_distance and hed_kid the extra [edges]. When omitted, "
        "l1 to pearson where the images allow it, and fid and kid if their weights are there.",
    )
    palette: str | None = evaluate_option(
        None,
        "Colours of the classes for --metrics labels and recovery: facades, cityscapes, or a text "
        "file with a line RED GREEN BLUE NAME per class; those named void are not scored.",
    )
    recogniser: Path | None = evaluate_option(
        None,
        "Run of pix2pix-tf that translates images to label maps, for --metrics recovery: the "
        "labels that it recognises in the outputs are compared with the inputs.",
    )
    inception_weights: Path | None = evaluate_option(
        None,
        "File with the weights of the InceptionV3 of 2015 for fid and kid, in the form of "
        "torch-fidelity; PyTorch's cache when omitted.",
    )
    download_weights: bool = evaluate_option(
        False, "Download the weights that fid, kid and lpips need to PyTorch's cache."
    )
    statistics: Path | None = evaluate_option(
        None,
        "Folder that keeps the features of targets for later evaluations; statistics in "
        "--output_dir when omitted.",
    )
    kid_subsets: int = evaluate_option(
        100, "Random subsets that KID is averaged over.", ge=1, le=10_000
    )
    kid_subset_size: int | None = evaluate_option(
        None,
        "Images per subset; when omitted 1000, or half of the smaller set if that is less.",
        ge=2,
    )

    # Devices
    strategy: str = devices_option(
        SINGLE,
        "Devices to train on: one; all GPUs of this machine, or the logical devices of its "
        "processor (mirrored); all machines of a cluster, which run the same command line and "
        "are described by the variable TF_CONFIG (multi_worker). --batch_size is the total "
        "over all devices.",
        choices=(SINGLE, MIRRORED, MULTI_WORKER),
    )
    logical_devices: int = devices_option(
        1,
        "Number of logical devices that --strategy mirrored splits each GPU into, or the "
        "processor where there is none.",
        ge=1,
        le=64,
    )

    # Serve
    host: str = serve_option(
        "127.0.0.1", "Address to listen on; 0.0.0.0 accepts connections from other machines."
    )
    port: int = serve_option(8000, "Port; 0 for any free one.", ge=0, lt=65536)
    cors_origin: str | None = serve_option(
        None, "Origins whose pages may use the server, separated by commas; * for all."
    )
    max_request_bytes: int = serve_option(16 * 2**20, "Maximum size of a request in bytes.", ge=1)
    max_pixels: int = serve_option(
        2048 * 2048,
        "Maximum number of pixels of a request: all its images together, their sides rounded "
        "up to multiples of 256.",
        ge=1,
    )
    max_queue: int = serve_option(
        64,
        "Maximum number of requests at a time; further ones are answered with 503 and Retry-After.",
        ge=1,
    )
    max_batch: int = serve_option(
        8, "Maximum number of images of one size that are translated together.", ge=1
    )
    timeout: float = serve_option(60.0, "Maximum time of a request in seconds.", gt=0)

    def __post_init__(self) -> None:
        """Brings every value into its one form and checks it, then their combinations.

        Raises:
            OptionError: For the first that cannot be used.
        """
        if self.mode in ("export", "serve") and not self.checkpoint:
            object.__setattr__(self, "checkpoint", self.PRETRAINED)
        for name in ("checkpoint", "init_from", "recogniser"):
            if getattr(self, name) == run_folder.PRETRAINED:
                object.__setattr__(self, name, run_folder.as_run_path(run_folder.PRETRAINED))
        # For serve it is a list with names, which `serve.sources` reads.
        options.validate(self, unconverted=("checkpoint",) if self.mode == "serve" else ())
        if self.label_palette:
            self._resolve_palette(self.label_palette)
        self._check_folders()
        self._check_images()
        self._check_export()
        self._check_devices()
        self._check_evaluation()
        self._check_program()

    def _resolve_palette(self, palette: str) -> None:
        """Replaces the name of a file of colours by the colours, which a run stores."""
        from pix2pix_tf.evaluation.palettes import resolve_palette

        try:
            object.__setattr__(self, "label_palette", resolve_palette(palette))
        except (OSError, ValueError) as error:
            raise OptionError(
                "Expected {label_palette} to be facades, cityscapes or a file of colours. "
                "Received: {} ({})",
                palette,
                run_folder.reason(error),
            ) from None

    def _check_program(self) -> None:
        """Checks the options of the program alone."""
        raise NotImplementedError

    def _check_folders(self) -> None:
        for name in ("input_dir", "input_dir_A", "input_dir_B", "target_dir", "val_dir"):
            folder = getattr(self, name, None)
            if folder and self.output_dir and self.takes(name) and self.takes("output_dir"):
                if run_folder.same_place(folder, self.output_dir):
                    raise OptionError(
                        f"Expected {{output_dir}} to be another folder than {{{name}}}. "
                        "Received: {}",
                        self.output_dir,
                    )
        if self.command == "demo":
            for name in ("input_dir", "checkpoint", "init_from"):
                if getattr(self, name):
                    raise OptionError(
                        f"{{mode}} demo draws its own data and takes no {{{name}}}; "
                        "choose {mode} train, test or export"
                    )
        for name in self.COMMANDS[self.command].needs.split():
            if name == "input_dir":
                self._require_input()
            else:
                self._require(name)
        starts = [name for name in ("checkpoint", "resume", "init_from") if getattr(self, name)]
        if len(starts) > 1:
            raise OptionError(
                "{checkpoint}, {resume} and {init_from} are mutually exclusive. Received: "
                + " and ".join(f"{{{name}}}" for name in starts)
            )
        if self.keep_every % max(self.save_freq, 1) or (self.keep_every and not self.save_freq):
            raise OptionError(
                "Expected {keep_every} to be a multiple of {save_freq}. Received: {} and {}",
                self.keep_every,
                self.save_freq,
            )

    def _require_input(self) -> None:
        """Raises an error for a command without the folder of images that it needs."""
        self._require("input_dir")

    def _require_sides(self, folders: Mapping[str, Path | None]) -> None:
        """Refuses a command with neither --input_dir nor a folder of its own for some side."""
        missing = [f"{{input_dir_{side}}}" for side, folder in folders.items() if not folder]
        if missing and not self.input_dir:
            raise OptionError(
                f"Expected {' and '.join(missing)}, or {{input_dir}}, with {self._here}. "
                "Received: nothing"
            )

    def _require(self, name: str) -> None:
        if not getattr(self, name):
            raise OptionError(f"{self._here} needs {{{name}}}")

    @property
    def _here(self) -> str:
        """The command as errors name it."""
        return "{check_data}" if self.check_data else f"{{mode}} {self.mode}"

    def _check_images(self) -> None:
        self._check_size()
        self._check_scale()
        for side, text in zip("AB", self.range_texts, strict=True):
            name = "value_range" if text in self.value_range else f"value_range_{side}"
            if parse_percentiles(text) is None:
                parse_range(text, option=name)
            elif self.mode in (*TESTING, "serve") and not self.lab_colorization:
                raise OptionError(
                    f"Expected {{{name}}} LOW,HIGH: percentiles are measured by training. "
                    "Received: {}",
                    text,
                )
        try:
            float(self.nodata or 0)
        except ValueError:
            raise OptionError(
                "Expected {nodata} to be a number or nan. Received: {}", self.nodata
            ) from None
        if self.label_palette and self.one_hot:
            raise OptionError("{label_palette} and {one_hot} are mutually exclusive.")
        if self.mode == "train" and self.batch_size > 1:
            self._require_one_size("batch_size", 1)
        if self.cache == "disk" and run_folder.is_remote(self.output_dir):
            raise OptionError(
                "{cache} disk needs an {output_dir} on this machine; choose {cache} none or memory"
            )

    def _require_one_size(self, name: str, expected: int) -> None:
        """Raises an error for an option that needs images of one size."""
        if not sizes.same_for_all(self.preprocess):
            raise OptionError(
                f"Expected {{{name}}} {expected} with {{preprocess}} {self.preprocess}, where "
                "images differ in size. Received: {}",
                getattr(self, name),
            )

    def _check_export(self) -> None:
        if self.mode not in ("demo", "export"):
            return
        calibrated = self.quantize == "int8_calibrated"
        if self.export_format != "litert" and (calibrated or self.image_size):
            name = "{quantize} int8_calibrated" if calibrated else "{image_size}"
            raise OptionError(
                f"{name} needs {{export_format}} litert. Received: {{}}", self.export_format
            )
        if calibrated and not self.image_size:
            raise OptionError("{quantize} int8_calibrated needs {image_size}.")

    def _check_size(self) -> None:
        """Raises an error for a --crop_size that a network cannot take."""
        multiple, least = MULTIPLES[self.netG], min(sizes.sides(self.crop_size))
        if any(side % multiple for side in sizes.sides(self.crop_size)):
            better = ", better still of a higher power of two" if self.netG == "unet" else ""
            raise OptionError(
                f"Expected {{crop_size}} to be a multiple of {multiple} with {{netG}} {self.netG}"
                f"{better}. Received: {self.crop_size}"
            )
        # Two more 4x4 convolutions follow those with stride 2; each takes a pixel away.
        layers = {"basic": 3, "n_layers": self.n_layers_D, "pixel": 0}[self.netD]
        if self.netD != "pixel" and least < 3 * 2**layers:
            raise OptionError(
                f"Expected {{crop_size}} to be at least {3 * 2**layers} with {layers} layers of "
                f"stride 2 in the discriminator. Received: {self.crop_size}; a "
                "smaller {n_layers_D} allows smaller images"
            )

    def _check_scale(self) -> None:
        """Raises an error for a size before the crop that is smaller than the crop."""
        crop, scale = sizes.sides(self.crop_size), sizes.sides(self.scale_size)
        # Which sides are scaled before a crop: both, the width alone, or none.
        first = {"resize_and_crop": 0, "scale_width_and_crop": 1}.get(self.preprocess, 2)
        small = any(side < least for side, least in zip(scale[first:], crop[first:], strict=True))
        if self.mode in ("train", "demo") and small:
            # The size that is to this crop what 286 is to 256.
            like = sizes.parse("x".join(str(round(side * 286 / 256)) for side in crop))
            raise OptionError(
                f"Expected {{{self.scale_option}}} to be at least {self.crop_size}. Received: "
                f"{self.scale_size}; with the defaults' proportion it is {like}"
            )

    def _check_devices(self) -> None:
        if self.logical_devices > 1 and self.strategy != MIRRORED:
            raise OptionError(
                "Expected {logical_devices} only with {strategy} mirrored. "
                f"Received: {{strategy}} {self.strategy}"
            )
        if self.strategy == MULTI_WORKER and self.mode == "demo":
            raise OptionError("Expected {mode} train with {strategy} multi_worker. Received: demo")
        if self.strategy == MULTI_WORKER and self.cache == "disk":
            raise OptionError(
                "several workers cannot share {cache} disk; choose {cache} none or memory"
            )

    def _check_evaluation(self) -> None:
        if self.mode != "evaluate":
            return
        if self.aspect_ratio != 1:
            raise OptionError(
                "Expected no {aspect_ratio} with {mode} evaluate, which measures images as they "
                f"are. Received: {self.aspect_ratio}"
            )
        if bool({"labels", "recovery"} & {*self.chosen_metrics}) != bool(self.palette):
            raise OptionError(
                "Expected {palette} and {metrics} labels or recovery together. Received: "
                "{palette} {} and {metrics} {}",
                self.palette,
                self.metrics,
            )
        if ("recovery" in self.chosen_metrics) != bool(self.recogniser):
            raise OptionError(
                "Expected {recogniser} and {metrics} recovery together. Received: "
                "{recogniser} {} and {metrics} {}",
                self.recogniser,
                self.metrics,
            )

    @property
    def command(self) -> str:
        """The mode, "check_data", or "compare": evaluate without --checkpoint."""
        if self.check_data:
            return CHECK_DATA
        return COMPARE if self.mode == "evaluate" and not self.checkpoint else self.mode

    @classmethod
    def options_of(cls, command: str) -> list[dataclasses.Field]:
        """The options that a command takes, in their order; not those that choose it."""
        rule = cls.COMMANDS[command]
        extra, sections = rule.extra.split(), rule.sections.split()
        without = ["mode", "check_data", *rule.without.split()]
        return [
            field
            for field in dataclasses.fields(cls)
            if field.name in extra
            or (field.metadata["section"] in sections and field.name not in without)
        ]

    def takes(self, name: str) -> bool:
        """Whether this command takes an option."""
        return any(field.name == name for field in self.options_of(self.command))

    def refuse_foreign(self, explicit: Iterable[str]) -> None:
        """Raises an error for explicit options that belong to another mode alone.

        Args:
            explicit: Names of the options that were given.

        Raises:
            OptionError: For the first of them.
        """
        for name in explicit:
            section = self.__dataclass_fields__[name].metadata["section"]
            if section in ("Evaluate", "Serve") and not self.takes(name):
                raise OptionError(
                    f"Expected {{{name}}} only with {{mode}} {section.lower()}. "
                    f"Received: {{mode}} {self.mode}"
                )

    def without_effect(self, explicit: Iterable[str]) -> dict[str, str]:
        """The explicit options that change nothing in this command.

        Args:
            explicit: Names of the options that were given.

        Returns:
            Dict from names to the circumstance, such as "with --mode test".
        """
        here = {CHECK_DATA: "with --check_data", COMPARE: "without --checkpoint"}
        unused = dict(self._unused())
        for name in {*explicit} - {"mode", "check_data"}:
            if not self.takes(name):
                unused[name] = here.get(self.command, f"with --mode {self.mode}")
        return {name: unused[name] for name in sorted(explicit) if name in unused}

    def _unused(self) -> Iterator[tuple[str, str]]:
        """(name, circumstance) of options that other options leave without effect."""
        yield from options.find_unused(self)
        yield from self._unused_of_test()
        if self.mode == "export" and self.quantize != "int8_calibrated":
            yield "input_dir", "without --quantize int8_calibrated"
        if self.mode == "export" and self.export_format != "web":
            yield "web_runtime", f"with --export_format {self.export_format}"
        if self.mode == "evaluate" and self.metrics:
            chosen, where = {*self.chosen_metrics}, f"with --metrics {self.metrics}"
            if not chosen & {"fid", "kid"}:
                yield from ((name, where) for name in ("inception_weights", "statistics"))
            if "kid" not in chosen:
                yield from ((name, where) for name in ("kid_subsets", "kid_subset_size"))
            if not chosen & {"fid", "kid", "lpips"}:
                yield "download_weights", where

    def _unused_of_test(self) -> Iterator[tuple[str, str]]:
        is_tested, preprocess = self.mode in TESTING, self.preprocess
        unscaled = ("resize_and_crop", "crop", "none") if is_tested else ("crop", "none")
        if preprocess in unscaled:
            yield self.scale_option, f"with --mode {self.mode} and --preprocess {preprocess}"
        # Only KID draws anything else.
        draws = self.mode == "evaluate" and "kid" in (self.chosen_metrics or ("kid",))
        if self.command == COMPARE and not draws:
            yield "seed", f"with --metrics {self.metrics}"
        elif is_tested and not draws and not (self.dropout and self.test_dropout):
            yield "seed", "with --notest_dropout" if self.dropout else "without dropout"

    @property
    def stored_weights(self) -> str:
        """What an export stores weights as: --quantize, or what is usual for its format."""
        return self.quantize or ("float16" if self.export_format == "web" else "none")

    @property
    def multiple(self) -> int:
        """The sides of an image that the generator takes are multiples of this, in pixels."""
        if self.netG == "unet":
            return 2 ** sizes.halvings(self.crop_size)
        return MULTIPLES[self.netG]

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of (inputs, outputs) or of images of (A, B)."""
        return self.input_channels, self.output_channels

    @property
    def directions(self) -> tuple[str, ...]:
        """The directions that a command translates in, of "AtoB" and "BtoA"."""
        raise NotImplementedError

    @property
    def sides(self) -> tuple[DomainSpec, DomainSpec]:
        """What the networks see of files of A and of B."""
        return self._sides(self.channels)

    @property
    def input_folder(self) -> Path:
        """`input_dir` of a command that reads images."""
        return self._required_path("input_dir")

    @property
    def output_folder(self) -> Path:
        """`output_dir` of a command that writes."""
        return self._required_path("output_dir")

    @property
    def run_path(self) -> Path:
        """`checkpoint` of a command that uses a run."""
        return self._required_path("checkpoint")

    def _required_path(self, name: str) -> Path:
        self._require(name)
        return getattr(self, name)

    @property
    def reads_windows(self) -> bool:
        """Whether test translates large TIFFs by windows, without decoding them whole."""
        return bool(self.tile) and self.preprocess == "none"

    @property
    def scale_size(self) -> sizes.Size:
        """The size of images before the random crop."""
        raise NotImplementedError

    @property
    def framing(self) -> sizes.ResizeSpec:
        """Which size images get."""
        return sizes.ResizeSpec(
            preprocess=self.preprocess,
            scale_size=self.scale_size,
            crop_size=self.crop_size,
            multiple=self.multiple,
            method=self.resize_method,
        )

    @property
    def range_texts(self) -> tuple[str, str]:
        """The range of values of A and that of B, as text."""
        a, colon, b = self.value_range.partition(":")
        return self.value_range_A or a, self.value_range_B or (b if colon else a)

    def _sides(self, channels: tuple[int, int]) -> tuple[DomainSpec, DomainSpec]:
        """What the networks see of files of A and B with so many channels."""
        colours = None
        if self.label_palette:
            from pix2pix_tf.evaluation.palettes import find_palette

            palette = find_palette(self.label_palette)
            colours = tuple((r, g, b) for r, g, b in (*palette.classes, *palette.void))
        nodata = None if self.nodata is None else float(self.nodata)
        a, b = (
            DomainSpec(
                channels=count,
                value_range=None if parse_percentiles(text) else parse_range(text),
                selection=PlaneSelection(plane=self.plane, series=self.series, nodata=nodata),
                palette=colours,
                one_hot=self.one_hot,
            )
            for count, text in zip(channels, self.range_texts, strict=True)
        )
        return a, b

    @property
    def scoring(self) -> dict[str, Any]:
        """The other options of `scoring.Scorer`, as arguments."""
        names = ("palette", "inception_weights", "kid_subsets", "kid_subset_size")
        arguments = {name: getattr(self, name) for name in (*names, "download_weights")}
        statistics = self.statistics or self.output_folder / "statistics"
        return {**arguments, "statistics": Path(statistics), "seed": self.seed or 0}

    @property
    def chosen_metrics(self) -> tuple[str, ...]:
        """The names in `metrics`, each once; empty if it was omitted.

        Raises:
            OptionError: If one is unknown.
        """
        names = [name.strip().lower() for name in (self.metrics or "").split(",")]
        chosen = tuple(dict.fromkeys(filter(None, names)))
        if unknown := [name for name in chosen if name not in METRICS]:
            raise OptionError(
                f"Expected {{metrics}} of {', '.join(METRICS)}. Received: {{}}", ", ".join(unknown)
            )
        return chosen


override_option = partial(options.override_option, Config)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pix2PixConfig(Config):
    """Options of one pix2pix command; invalid ones raise `InputError` when the object is made."""

    PRETRAINED: ClassVar[Path | None] = run_folder.SHIPPED

    # Run
    input_dir: Path | None = override_option(
        "input_dir",
        help="Folder of side-by-side images, A left and B right, or tfds:NAME/CONFIG for a "
        "data set of TensorFlow Datasets.",
    )
    output_dir: Path | None = override_option(
        "output_dir", help="Folder for the results; demo writes to pix2pix-demo."
    )
    checkpoint: Path | None = override_option(
        "checkpoint",
        help="Run folder, or one checkpoint file in it: the run to resume (train) or to use (test, "
        "evaluate, export, serve). facades is the model in the package, which export and serve "
        "use when it is omitted. For import, what to import: a TensorFlow 1 checkpoint, .pth files "
        "or a .pict file.",
    )

    # Training
    max_epochs: int | None = training_option(
        None,
        "Epoch at which training ends, 0 for no limit; --max_steps wins if both are given.",
        ge=0,
        le=MOST_STEPS,
    )
    l1_weight: float = training_option(
        100.0, "Weight of the L1 term in the generator's loss.", ge=0
    )
    gan_weight: float = training_option(
        1.0, "Weight of the GAN term in the generator's loss.", ge=0
    )

    # Data
    dataset_mode: str = data_option(
        "aligned",
        "Layout of the pairs: side by side in one file (aligned); in the folders A and B of "
        "--input_dir under equal names (folders); or single images without targets, for test "
        "(single).",
        choices=("aligned", "folders", "single"),
    )
    input_dir_A: Path | None = data_option(
        None,
        "Folder of A with --dataset_mode folders, if it is not --input_dir/A.",
        inherit="run",
        only_with="dataset_mode=folders",
    )
    input_dir_B: Path | None = data_option(
        None,
        "Folder of B with --dataset_mode folders, if it is not --input_dir/B.",
        inherit="run",
        only_with="dataset_mode=folders",
    )
    pair_by: str = data_option(
        "name",
        "With --dataset_mode folders, pair files of equal names, or in the order of the names.",
        choices=("name", "order"),
        inherit="run",
        only_with="dataset_mode=folders",
    )
    which_direction: str = data_option(
        "AtoB", "Translate A to B or B to A.", choices=("AtoB", "BtoA"), inherit="architecture"
    )
    scale_size: sizes.Size = data_option(
        286,
        "Images are resized to this size in pixels before the random crop; one number or HxW.",
        alias="load_size",
        ge=1,
        le=MOST_PIXELS,
    )
    lab_colorization: bool = data_option(
        False,
        "Learn to colourise: split single images into lightness (A) and colour (B).",
        inherit="architecture",
    )

    # Model
    separable_conv: bool = model_option(False, "Separable convolutions in the generator.")
    bottleneck_norm: bool = model_option(
        True,
        "Normalise the innermost level as the reference does, which leaves it without gradient at "
        "batch size 1; --nobottleneck_norm follows the paper's erratum. Only for --netG unet with "
        "--norm batch.",
    )

    # Monitoring
    val_dir: Path | None = monitoring_option(
        None,
        "Folder like --input_dir that is measured during training: val.csv, TensorBoard, "
        "images, and checkpoints/best.safetensors, the one with the lowest L1.",
    )
    val_freq: int = monitoring_option(
        1000, "Steps between two measurements of --val_dir.", ge=1, only_with="val_dir"
    )

    def _check_program(self) -> None:
        if self.dataset_mode == "single" and self.mode == "train":
            raise OptionError(
                "Expected {dataset_mode} aligned or folders with {mode} train: learning needs "
                "targets. Received: single"
            )
        pairs = (self.dataset_mode, self.input_channels, self.output_channels)
        if self.lab_colorization and pairs != ("aligned", 3, 3):
            raise OptionError(
                "{lab_colorization} makes its pairs of single colour images, without other data "
                "options. Received: {dataset_mode} {}, {input_channels} {}, {output_channels} {}",
                *pairs,
            )
        if self.separable_conv and self.netG != "unet":
            raise OptionError(
                f"Expected {{separable_conv}} only with {{netG}} unet. Received: {self.netG}"
            )
        if self.separable_conv and self.init_type != "normal":
            raise OptionError(
                "Expected {separable_conv} with {init_type} normal. Received: {}", self.init_type
            )

    def _require_input(self) -> None:
        folders = {"A": self.input_dir_A, "B": self.input_dir_B}
        if self.input_dir or not any(folders.values()):
            super()._require_input()
            return
        if self.dataset_mode != "folders":
            raise OptionError(
                "Expected {dataset_mode} folders with {input_dir_A} and {input_dir_B}. "
                f"Received: {self.dataset_mode}"
            )
        self._require_sides(folders)

    def _unused(self) -> Iterator[tuple[str, str]]:
        yield from super()._unused()
        if self.max_steps:
            yield "max_epochs", "with --max_steps"
        if self.netG != "unet" or self.norm not in ("batch", "sync_batch"):
            yield "bottleneck_norm", f"with --netG {self.netG} and --norm {self.norm}"
        if self.mode == "train" and not self.val_dir:
            yield from ((name, "without --val_dir") for name in ("test_dropout", "tile"))

    @property
    def directions(self) -> tuple[str, ...]:
        """The direction of the run."""
        return (self.which_direction,)

    @property
    def reads_windows(self) -> bool:
        """As of `Config`; Lab colour is translated whole."""
        return super().reads_windows and not self.lab_colorization

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of (inputs, outputs); in Lab mode lightness has one, colour two."""
        if not self.lab_colorization:
            return self.input_channels, self.output_channels
        return (1, 2) if self.which_direction == "AtoB" else (2, 1)

    @property
    def sides(self) -> tuple[DomainSpec, DomainSpec]:
        """What the networks see of files of A and of B."""
        a, b = self.channels
        return self._sides((a, b) if self.which_direction == "AtoB" else (b, a))

    @property
    def reading(self) -> "ExampleFormat":
        """How the examples of a data set become pairs."""
        from pix2pix_tf.data.decode import ExampleFormat

        return ExampleFormat(
            dataset_mode=self.dataset_mode,
            direction=self.which_direction,
            lab=self.lab_colorization,
            sides=self.sides,
        )
