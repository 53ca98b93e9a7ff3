"""Accuracy of predicted label maps: the scores of the paper's photo-to-labels table.

confusion += confusion_matrix(target, output, palette=find_palette("cityscapes"))
scores = label_scores(confusion)
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation.palettes import Colour, Palette
from pix2pix_tf.evaluation.results import to_rgb

# From images float32 [h, w, c] in [0, 1] to label maps of the same kind.
Recognise = Callable[[np.ndarray], np.ndarray]


def confusion_matrix(target: np.ndarray, output: np.ndarray, *, palette: Palette) -> np.ndarray:
    """Counts the pixels of each true class by the class that was predicted for them.

    Args:
        target: uint8 [h, w, 3]; pixels nearest to a void colour are left out.
        output: uint8 [h, w, 3].
        palette: The colours of the classes.

    Returns:
        int64 [classes, classes], rows the ground truth, columns the prediction. Matrices of
        several pairs may be added.
    """
    classes = len(palette.classes)
    truth = nearest_label(target, palette.classes + palette.void)
    cells = truth * classes + nearest_label(output, palette.classes)
    return np.bincount(cells[truth < classes], minlength=classes**2).reshape(classes, classes)


def nearest_label(image: np.ndarray, palette: Sequence[Colour]) -> np.ndarray:
    """Labels every pixel with the palette colour nearest to it (squared distance in RGB).

    Args:
        image: uint8 [..., 3].
        palette: k different colours from 0 to 255.

    Returns:
        int64 [...]: indices into the palette; of two colours at the same distance the first.
    """
    image = image.astype(np.int32)
    best = np.full(image.shape[:-1], np.iinfo(np.int32).max)
    labels = np.zeros(image.shape[:-1], np.int64)
    for index, colour in enumerate(palette):  # one by one: less memory than all distances
        distance = np.square(image - np.int32(colour)).sum(axis=-1)
        labels[distance < best] = index
        best = np.minimum(best, distance)
    return labels


def label_scores(confusion: np.ndarray) -> dict[str, float]:
    """The three scores of label maps. Classes absent from the ground truth do not count.

    With n_ij pixels of class i predicted as j, t_i = sum_j n_ij and p_i = sum_j n_ji:
    sum_i n_ii / sum_i t_i, the mean of n_ii / t_i, and the mean of n_ii / (t_i + p_i - n_ii).

    Args:
        confusion: Ints [classes, classes], rows the ground truth, columns the prediction.

    Returns:
        Dict from "per_pixel_accuracy", "per_class_accuracy" and "class_IoU" to floats in [0, 1].

    Raises:
        InputError: If no pixel was counted.

    Reference:
        Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic Segmentation",
        2015, section 5.
    """
    correct, true, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    if not (present := true > 0).any():
        raise InputError("the ground truth has no pixel of a scored class")
    union = true + predicted - correct
    return {
        "per_pixel_accuracy": float(correct.sum() / true.sum()),
        "per_class_accuracy": float(np.mean(correct[present] / true[present])),
        "class_IoU": float(np.mean(correct[present] / union[present])),
    }


def recovery(
    outputs: Iterable[np.ndarray],
    inputs: Iterable[np.ndarray],
    *,
    recognise: Recognise,
    palette: Palette,
) -> dict[str, float]:
    """Scores of the label maps that a recogniser sees in images made from label maps.

    The idea of the paper's FCN score, with a recogniser of one's own: the better the images show
    what their inputs ask for, the more of the labels it finds again.

    Args:
        outputs: Images float32 [h, w, c] in [0, 1].
        inputs: The label maps that they were made from, likewise.
        recognise: Translates an image to a label map.
        palette: The colours of the classes.

    Returns:
        Dict from "recovery_per_pixel_accuracy", "recovery_per_class_accuracy" and
        "recovery_class_IoU" to floats in [0, 1].

    Raises:
        InputError: If a label map has another size than its input, or no pixel was counted.

    Reference:
        Isola, Zhu, Zhou and Efros, "Image-to-Image Translation with Conditional Adversarial
        Networks", 2017, section 3.3.
    """
    confusion: Any = 0
    for output, labels in zip(outputs, inputs, strict=True):
        recognised = recognise(output)
        if recognised.shape[:2] != labels.shape[:2]:
            raise InputError(
                "Expected outputs in the size of their inputs for recovery. Received: "
                f"{recognised.shape[:2]} and {labels.shape[:2]} px (height, width)"
            )
        confusion += confusion_matrix(to_rgb(labels), to_rgb(recognised), palette=palette)
    scores = label_scores(confusion)
    return {f"recovery_{name}": value for name, value in scores.items()}
