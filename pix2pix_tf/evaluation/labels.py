"""Accuracy of predicted label maps: the scores of the paper's photo-to-labels table.

    confusion += confusion_of(target, output, palette=find_palette("cityscapes"))
    scores = label_scores(confusion)

Pixels whose true colour is a void one get a label beyond the classes and are left out.
"""

from collections.abc import Sequence

import numpy as np

from pix2pix_tf.errors import InputError
from pix2pix_tf.evaluation.palettes import Colour, Palette


def confusion_of(target: np.ndarray, output: np.ndarray, *, palette: Palette) -> np.ndarray:
    """Counts the pixels of one pair of label maps; matrices of several pairs may be added.

    Args:
        target: uint8 [h, w, 3].
        output: uint8 [h, w, 3].
        palette: The colours of the classes.

    Returns:
        int64 [classes, classes], rows the ground truth, columns the prediction.

    Raises:
        InputError: If the sizes differ, or an image is not uint8 RGB.
    """
    labels = nearest_label(target, palette.classes + palette.void)
    prediction = nearest_label(output, palette.classes)
    return confusion_matrix(labels, prediction, classes=len(palette.classes))


def nearest_label(image: np.ndarray, palette: Sequence[Colour]) -> np.ndarray:
    """Labels every pixel with the palette colour nearest to it (squared distance in RGB).

    Args:
        image: uint8 [..., 3].
        palette: k different colours from 0 to 255.

    Returns:
        int64 [...]: indices into the palette; of two colours at the same distance the first.

    Raises:
        InputError: If the image is not uint8 RGB or the palette is not one of different colours.
    """
    image, colours = np.asarray(image), np.asarray(palette)
    if image.dtype != np.uint8 or image.shape[-1:] != (3,):
        raise InputError(
            f"Expected a label map as uint8 [..., 3]. Received: {image.dtype} {image.shape}"
        )
    if colours.shape[1:] != (3,) or len(np.unique(colours, axis=0)) != len(colours):
        raise InputError(f"Expected a palette of different RGB colours. Received: {colours}")
    image = image.astype(np.int32)
    best = np.full(image.shape[:-1], np.iinfo(np.int32).max)
    labels = np.zeros(image.shape[:-1], np.int64)
    for index, colour in enumerate(colours.astype(np.int32)):
        distance = np.square(image - colour).sum(axis=-1)
        labels[distance < best] = index
        best = np.minimum(best, distance)
    return labels


def confusion_matrix(target: np.ndarray, prediction: np.ndarray, *, classes: int) -> np.ndarray:
    """Counts the pixels of each true class by the class that was predicted for them.

    Args:
        target: Ints [...]; pixels with a label outside 0 to classes - 1 are left out.
        prediction: Ints of the same shape, from 0 to classes - 1.
        classes: Number of classes.

    Returns:
        int64 [classes, classes]: rows the ground truth, columns the prediction.

    Raises:
        InputError: If the shapes differ or a predicted label is no class.
    """
    target, prediction = np.asarray(target), np.asarray(prediction)
    if target.shape != prediction.shape:
        raise InputError(
            "Expected label maps of one size. "
            f"Received: ground truth {target.shape} and prediction {prediction.shape}"
        )
    scored = (target >= 0) & (target < classes)
    target, prediction = target[scored], prediction[scored]
    if np.any((prediction < 0) | (prediction >= classes)):
        raise InputError(
            f"Expected predicted labels from 0 to {classes - 1}. "
            f"Received: {prediction.min()} to {prediction.max()}"
        )
    cells = target.astype(np.int64) * classes + prediction
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


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
    confusion = np.asarray(confusion, np.float64)
    right, true, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    present = true > 0
    if not present.any():
        raise InputError("the ground truth has no pixel of a scored class")
    union = true + predicted - right
    return {
        "per_pixel_accuracy": float(right.sum() / true.sum()),
        "per_class_accuracy": float(np.mean(right[present] / true[present])),
        "class_IoU": float(np.mean(right[present] / union[present])),
    }
