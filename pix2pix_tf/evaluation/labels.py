"""How right a predicted label picture is: the scores of the paper's photo-to-labels table.

    confusion += find_palette("cityscapes").confusion(target, output)
    scores = label_scores(confusion)

Pixels whose true colour is a void one get a label beyond the classes and are left out.
"""

from typing import NamedTuple

import numpy as np

from pix2pix_tf.demo import facades
from pix2pix_tf.errors import InputError

# The 19 classes that Cityscapes scores, in the order of its train ids (Cordts et al. 2016; colours
# of cityscapesScripts, helpers/labels.py).
CITYSCAPES_CLASSES = (
    (128, 64, 128),  # road
    (244, 35, 232),  # sidewalk
    (70, 70, 70),  # building
    (102, 102, 156),  # wall
    (190, 153, 153),  # fence
    (153, 153, 153),  # pole
    (250, 170, 30),  # traffic light
    (220, 220, 0),  # traffic sign
    (107, 142, 35),  # vegetation
    (152, 251, 152),  # terrain
    (70, 130, 180),  # sky
    (220, 20, 60),  # person
    (255, 0, 0),  # rider
    (0, 0, 142),  # car
    (0, 0, 70),  # truck
    (0, 60, 100),  # bus
    (0, 80, 100),  # train
    (0, 0, 230),  # motorcycle
    (119, 11, 32),  # bicycle
)
# Colours of what Cityscapes leaves out of its scores. Pole groups and licence plates are missing
# because they are painted like poles and cars.
CITYSCAPES_VOID = (
    (0, 0, 0),  # unlabeled, ego vehicle, border, static
    (111, 74, 0),  # dynamic
    (81, 0, 81),  # ground
    (250, 170, 160),  # parking
    (230, 150, 140),  # rail track
    (180, 165, 180),  # guard rail
    (150, 100, 100),  # bridge
    (150, 120, 90),  # tunnel
    (0, 0, 90),  # caravan
    (0, 0, 110),  # trailer
)


class Palette(NamedTuple):
    """The colours of label pictures.

    Attributes:
        classes: RGB of each class that is scored.
        void: RGB of what is left out.
    """

    classes: tuple
    void: tuple = ()

    def confusion(self, target, output):
        """Counts the pixels of one pair of label pictures, uint8 [h, w, 3]; see `label_scores`."""
        truth = nearest_label(target, self.classes + self.void)
        guess = nearest_label(output, self.classes)
        return confusion_matrix(truth, guess, classes=len(self.classes))


def find_palette(name):
    """The `Palette` called "facades" or "cityscapes", or that of a text file.

    A line of the file is RED GREEN BLUE NAME, from 0 to 255; those whose name is void are left out
    of the scores, empty lines and those that start with # are skipped.

    Raises:
        OSError: If the file cannot be read.
        InputError: If a line is another, two colours are the same, or there is no class.
    """
    if name == "facades":
        return Palette(tuple(facades.PALETTE.values()))
    if name == "cityscapes":
        return Palette(CITYSCAPES_CLASSES, CITYSCAPES_VOID)
    with open(name, encoding="utf-8", errors="replace") as file:
        lines = [line.split() for line in file]
    lines = [words for words in lines if words and not words[0].startswith("#")]
    colours = [_colour(words, file=name) for words in lines]
    is_void = [words[3:] == ["void"] for words in lines]
    found = Palette(
        tuple(colour for colour, void in zip(colours, is_void, strict=True) if not void),
        tuple(colour for colour, void in zip(colours, is_void, strict=True) if void),
    )
    if not found.classes or len(set(colours)) < len(colours):
        raise InputError(
            f"Expected different colours, of one class or more, in {name}. Received: {colours[:9]}"
        )
    return found


def _colour(words, *, file):
    try:
        colour = tuple(int(word) for word in words[:3])
    except ValueError:
        colour = ()
    if len(colour) < 3 or not all(0 <= value <= 255 for value in colour):
        raise InputError(
            f"Expected lines RED GREEN BLUE NAME, from 0 to 255, in {file}. "
            f"Received: {' '.join(words)[:60]}"
        )
    return colour


def nearest_label(image, palette):
    """Labels every pixel with the palette colour nearest to it (squared distance in RGB).

    Args:
        image: uint8 [..., 3].
        palette: [k, 3] ints from 0 to 255, all different.

    Returns:
        int64 [...]: indices into the palette; of two colours at the same distance the first.

    Raises:
        InputError: If the image is not uint8 RGB or the palette is not one of different colours.
    """
    image, palette = np.asarray(image), np.asarray(palette)
    if image.dtype != np.uint8 or image.shape[-1:] != (3,):
        raise InputError(
            f"Expected a label picture as uint8 [..., 3]. Received: {image.dtype} {image.shape}"
        )
    if palette.shape[1:] != (3,) or len(np.unique(palette, axis=0)) != len(palette):
        raise InputError(f"Expected a palette of different RGB colours. Received: {palette}")
    image = image.astype(np.int32)
    best = np.full(image.shape[:-1], np.iinfo(np.int32).max)
    labels = np.zeros(image.shape[:-1], np.int64)
    for index, colour in enumerate(palette.astype(np.int32)):
        distance = np.square(image - colour).sum(axis=-1)
        labels[distance < best] = index
        best = np.minimum(best, distance)
    return labels


def confusion_matrix(truth, prediction, *, classes):
    """Counts the pixels of each true class by what was predicted for them.

    Matrices of several images may be added.

    Args:
        truth: Ints [...]; pixels with a label outside 0 to classes - 1 are left out.
        prediction: Ints of the same shape, from 0 to classes - 1.
        classes: How many classes there are.

    Returns:
        int64 [classes, classes]: rows the truth, columns the prediction.

    Raises:
        InputError: If the shapes differ or a prediction is no class.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise InputError(
            "Expected label maps of one size. "
            f"Received: truth {truth.shape} and prediction {prediction.shape}"
        )
    scored = (truth >= 0) & (truth < classes)
    truth, prediction = truth[scored], prediction[scored]
    if np.any((prediction < 0) | (prediction >= classes)):
        raise InputError(
            f"Expected predicted labels from 0 to {classes - 1}. "
            f"Received: {prediction.min()} to {prediction.max()}"
        )
    cells = truth.astype(np.int64) * classes + prediction
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def label_scores(confusion):
    """The three scores of a label map. Classes absent from the truth are left out of the means.

    With n_ij pixels of class i predicted as j, t_i = sum_j n_ij and p_i = sum_j n_ji:
    sum_i n_ii / sum_i t_i, the mean of n_ii / t_i, and the mean of n_ii / (t_i + p_i - n_ii).

    Args:
        confusion: Ints [classes, classes], rows the truth, columns the prediction.

    Returns:
        Dict from "per_pixel_accuracy", "per_class_accuracy" and "class_IoU" to floats in [0, 1].

    Raises:
        InputError: If no pixel was counted.

    Reference:
        Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic Segmentation",
        2015, section 5.
    """
    confusion = np.asarray(confusion, np.float64)
    right, true, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    present = true > 0
    if not present.any():
        raise InputError("Expected at least one pixel of a scored class. Received: none")
    union = true + predicted - right
    return {
        "per_pixel_accuracy": float(right.sum() / true.sum()),
        "per_class_accuracy": float(np.mean(right[present] / true[present])),
        "class_IoU": float(np.mean(right[present] / union[present])),
    }
