"""DICOM files as arrays in physical units, and results in the geometry of their source."""

import functools
import io
import secrets
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import pixels

from pix2pix_tf import run_folder
from pix2pix_tf.data.image_file import ImageFile
from pix2pix_tf.data.samples import (
    Samples,
    check_size,
    fill_missing,
    resize_bilinear,
    resolve_index,
)
from pix2pix_tf.errors import InputError

# Describes samples that a result replaces.
_STALE = (
    *("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTSequence"),
    *("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"),
    *("PixelPaddingRangeLimit", "ModalityLUTSequence", "IconImageSequence"),
    *("RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor"),
    *("BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData"),
    *("GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData"),
    *("RescaleSlope", "RescaleIntercept", "PlanarConfiguration"),
)
# The slices of one source series that a process writes are one new series.
_SESSION = secrets.token_hex(16)


class DicomImage(ImageFile):
    """An image of a DICOM file, in physical units such as Hounsfield units."""

    suffix = ".dcm"
    native_suffixes = (".dcm",)

    @functools.cached_property
    def _dataset(self) -> pydicom.Dataset:
        return _read_dataset(self.contents)

    def decode(self) -> Samples:
        """Decodes the chosen frame to physical units.

        Returns:
            `Samples` of [h, w] or [h, w, 3], of the stored type without a rescale, else the least
            integer type for whole numbers or float32. The padding is missing.

        Raises:
            ValueError: What is wrong, without the file's name.
        """
        dataset = self._dataset
        frame = _frame(dataset, self.selection.plane)
        check_size(int(dataset.Columns), int(dataset.Rows))
        try:
            stored = pixels.pixel_array(dataset, index=frame)
        except (RuntimeError, NotImplementedError):
            name = dataset.file_meta.TransferSyntaxUID.name
            raise ValueError(
                f"{name}: damaged, or a plugin of pydicom is missing (pylibjpeg or python-gdcm)"
            ) from None
        stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            return Samples(pixels.apply_color_lut(stored, dataset))
        if stored.ndim == 3:
            return Samples(stored)
        if dataset.get("ModalityLUTSequence"):
            return Samples(pixels.apply_modality_lut(stored, dataset))
        slope, intercept = _rescale(dataset, frame)
        array = _physical(stored, slope, intercept, bits=int(dataset.BitsStored))
        padding = dataset.get("PixelPaddingValue")
        if not isinstance(padding, int):
            return Samples(array)
        limit = dataset.get("PixelPaddingRangeLimit")
        ends = sorted((padding, limit if isinstance(limit, int) else padding))
        missing = (stored >= ends[0]) & (stored <= ends[1])
        nodata = padding * slope + intercept
        return Samples(array, missing=missing if missing.any() else None, nodata=nodata)

    def native_suffix(self, result: np.ndarray) -> str | None:
        """DICOM's own for grey results, or RGB of 8 bits."""
        channels = result.shape[-1]
        is_rgb = channels == 3 and result.dtype == np.uint8
        return self.suffix if channels == 1 or is_rgb else None

    def write(self, path: Path, result: Any, *, half: int | None = None) -> Path:
        """Writes a result; a DICOM file has the geometry of this one, and so its size."""
        if not str(path).lower().endswith(self.suffix):
            return super().write(path, result, half=half)
        samples = self.samples()
        array = resize_bilinear(result, *samples.array.shape[:2])
        array = fill_missing(array, samples.missing, samples.nodata)
        contents = self.encode_like(array, missing=samples.missing)
        with run_folder.atomic(path) as temporary:
            temporary.write_bytes(contents)
        return path

    def encode_like(self, array: np.ndarray, *, missing: np.ndarray | None = None) -> bytes:
        """Encodes an image in the geometry of this one: its tags with new UIDs, other samples.

        Args:
            array: Physical units [h, w, c] of this image's size; see `native_suffix`.
            missing: bool [h, w], pixels that become padding.

        Returns:
            Bytes of a DICOM file, uncompressed. Whole numbers of 16 bits are kept exactly; others
            are rounded to 65535 steps between the least and the largest.

        Raises:
            InputError: If the image is neither grey nor RGB of 8 bits.
        """
        if self.native_suffix(array) is None:
            raise InputError(
                "Expected grey results, or RGB of 8 bits, for DICOM. Received: "
                f"{array.shape[-1]} channels of {array.dtype}"
            )
        dataset = _read_dataset(self.contents)
        frame = _frame(dataset, self.selection.plane)
        slope, intercept = _rescale(dataset, frame)
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        for name in _STALE:
            if name in dataset:
                del dataset[name]
        _keep_frame(dataset, frame)
        if array.shape[-1] == 3:
            dataset.set_pixel_data(np.ascontiguousarray(array), "RGB", 8)
        else:
            kind = "int" if int(dataset.get("PixelRepresentation") or 0) else "uint"
            kind += "8" if int(dataset.BitsAllocated) <= 8 else "16"
            stored, slope, intercept = _stored(array[..., 0], slope, intercept, dtype=kind)
            is_inverted = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
            photometric = "MONOCHROME1" if is_inverted else "MONOCHROME2"
            dataset.set_pixel_data(stored, photometric, 8 * stored.dtype.itemsize)
            dataset.RescaleSlope, dataset.RescaleIntercept = f"{slope:.10g}", f"{intercept:.10g}"
            if missing is not None and missing.any():
                kind = "SS" if stored.dtype.kind == "i" else "US"
                dataset.add_new("PixelPaddingValue", kind, int(stored[missing][0]))
        _mark_as_derived(dataset)
        return _encoded(dataset)


def _read_dataset(contents: bytes) -> pydicom.Dataset:
    dataset = pydicom.dcmread(io.BytesIO(contents), force=True)
    if any(name not in dataset for name in ("PixelData", "Rows", "Columns", "BitsStored")):
        raise ValueError("a DICOM file without an image")
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        syntax = pydicom.uid.ImplicitVRLittleEndian if implicit else None
        syntax = syntax or (pydicom.uid.ExplicitVRLittleEndian if little else None)
        dataset.file_meta.TransferSyntaxUID = syntax or pydicom.uid.ExplicitVRBigEndian
    return dataset


def _encoded(dataset: pydicom.Dataset) -> bytes:
    buffer = io.BytesIO()
    try:
        pydicom.dcmwrite(
            buffer, dataset, enforce_file_format=True, implicit_vr=False, little_endian=True
        )
    except (TypeError, ValueError, AttributeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"Expected tags that can be written to DICOM: {reason}") from None
    return buffer.getvalue()


def _frame(dataset: pydicom.Dataset, plane: int | None) -> int:
    count = int(dataset.get("NumberOfFrames") or 1)
    return resolve_index(plane, count, things="planes", flag="plane") if count > 1 else 0


def _rescale(dataset: pydicom.Dataset, frame: int) -> tuple[float, float]:
    """(slope, intercept) from stored samples to physical units."""
    places = [dataset]
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        groups = dataset.get(name) or []
        if groups:
            group = groups[min(frame, len(groups) - 1)]
            places += group.get("PixelValueTransformationSequence") or []
    rescaled = [place for place in places if place.get("RescaleSlope") is not None]
    if not rescaled:
        return 1.0, float(dataset.get("RescaleIntercept") or 0)
    slope = float(rescaled[-1].RescaleSlope)
    if not slope:
        raise ValueError("a DICOM file whose rescale slope is 0")
    return slope, float(rescaled[-1].get("RescaleIntercept") or 0)


def _physical(stored: np.ndarray, slope: float, intercept: float, *, bits: int) -> np.ndarray:
    if (slope, intercept) == (1, 0):
        return stored
    if stored.dtype.kind == "f" or not (slope.is_integer() and intercept.is_integer()):
        return (stored * slope + intercept).astype(np.float32)
    # The type does not depend on the samples, so that a series has one.
    least = -(2 ** (bits - 1)) if stored.dtype.kind == "i" else 0
    ends = sorted(end * slope + intercept for end in (least, least + 2**bits - 1))
    dtype = np.int16 if ends[0] >= -(2**15) and ends[1] < 2**15 else np.int32
    return (stored.astype(np.int64) * int(slope) + int(intercept)).astype(dtype)


def _mark_as_derived(dataset: pydicom.Dataset) -> None:
    """Gives a data set the identity of another image, made of the source's."""
    series = str(dataset.get("SeriesInstanceUID", ""))
    dataset.SeriesInstanceUID = pydicom.uid.generate_uid(entropy_srcs=[_SESSION, series])
    dataset.SOPInstanceUID = pydicom.uid.generate_uid()
    dataset.ImageType = ["DERIVED", "SECONDARY", *list(dataset.get("ImageType") or [])[2:]]
    dataset.SeriesDescription = f"{dataset.get('SeriesDescription') or ''} translated".strip()[:64]
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    if "SOPClassUID" not in dataset:
        dataset.SOPClassUID = pydicom.uid.SecondaryCaptureImageStorage


def _keep_frame(dataset: pydicom.Dataset, frame: int) -> None:
    """Leaves one frame of several."""
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        dataset.NumberOfFrames = 1
        groups = dataset.get("PerFrameFunctionalGroupsSequence")
        if groups:
            dataset.PerFrameFunctionalGroupsSequence = [groups[frame]]
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in dataset.get(name) or []:
            if "PixelValueTransformationSequence" in group:
                del group.PixelValueTransformationSequence


def _stored(
    values: np.ndarray, slope: float, intercept: float, *, dtype: str
) -> tuple[np.ndarray, float, float]:
    """Samples of at most 16 bits with their rescale: that of the source where it is exact."""
    wide = values.astype(np.float64)
    if values.dtype.kind in "uib":
        for kind, by, start in ((dtype, slope, intercept), ("int16", 1, 0), ("uint16", 1, 0)):
            stored, limits = np.round((wide - start) / by), np.iinfo(kind)
            inside = limits.min <= stored.min() and stored.max() <= limits.max
            if inside and np.array_equal(stored * by + start, wide):
                return stored.astype(kind), by, start
    # A decimal string of DICOM has at most 16 characters.
    low = float(f"{np.floor(wide.min() * 1e3) / 1e3:.10g}")
    step = float(f"{max((wide.max() - low) / 65534, 1e-30):.10g}")
    return np.clip(np.round((wide - low) / step), 0, 65535).astype(np.uint16), step, low
