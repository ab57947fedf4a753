"""Image files, decoded by Pillow and brought to one size and colour mode."""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

MODES = {"grey": "L", "rgb": "RGB", "rgba": "RGBA"}
BANDS = {"grey": 1, "rgb": 3, "rgba": 4}
GREY_MODES = ("1", "L", "LA", "La", "I")
MAX_IMAGE_BYTES = 2**30
ORIENTATION, FIRST_SIDEWAYS = 0x0112, 5  # EXIF tag; from this value on, height and width are swapped


def import_pillow():
    """Import Pillow, or say how to get it."""
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise ImportError(
            "Image files are read by Pillow, which is not installed. Install it: `pip install pillow`. Or give the "
            "images as an array."
        ) from error
    return PIL


def is_paths(X):
    """Whether X is a sequence, or a single column, of paths: strings or path objects, one for each image."""
    if isinstance(X, (str, bytes, os.PathLike)):
        raise ValueError(f"X={X!r} is one path. Give a sequence of paths, one for each image.")
    if isinstance(X, (list, tuple)):
        if any(isinstance(path, bytes) for path in X[:1]):
            raise TypeError(f"X must hold paths as strings. Got X[0]={X[0]!r}; apply os.fsdecode to each.")
        first = next((path for path in X if path is not None), None)  # a gap is refused later, with its place
        return isinstance(first, (str, os.PathLike))
    shape = getattr(X, "shape", ())
    column = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
    if not (column and shape[0] and hasattr(X, "__len__") and hasattr(X, "__array__")):
        return False
    if getattr(getattr(X, "dtype", None), "kind", "O") in "biufc":
        return False
    return isinstance(np.asarray(X).reshape(-1)[0], (str, os.PathLike))


def to_paths(X):
    """Convert X to a list of paths.

    Raises
    ------
    TypeError
        If X holds anything else.
    """
    paths = np.asarray(X)[:, 0] if len(getattr(X, "shape", ())) == 2 else X
    paths = list(paths)
    for i, path in enumerate(paths):
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"X must hold paths only. Got X[{i}]={path!r}.")
    return [os.fspath(path) for path in paths]


class BrokenFileError(ValueError):
    """A file that cannot be decoded."""


@dataclass(frozen=True)
class Header:
    """Header of an image file: its size (height, width), and whether it is in colour."""

    size: tuple
    colored: bool


def read_header(path):
    """Read size and colour of an upright image without decoding it; None if the file cannot be read."""
    image_module = import_pillow().Image
    try:
        with image_module.open(path) as image:
            width, height = image.size
            if image.getexif().get(ORIENTATION, 1) >= FIRST_SIDEWAYS:
                width, height = height, width
            return Header((height, width), not image.mode.startswith(GREY_MODES))
    except (OSError, SyntaxError, ValueError):
        return None


@dataclass(frozen=True)
class Target:
    """Size and colour that every file is brought to.

    Parameters
    ----------
    size : tuple of int
        Height and width.
    color : {"grey", "rgb", "rgba"}
        Colour mode.
    resize : bool
        Whether files of other sizes are resized or refused.
    """

    size: tuple
    color: str
    resize: bool

    @property
    def sample_shape(self):
        """(height, width, channels) of an image."""
        return (*self.size, BANDS[self.color])


def to_color(image, color):
    """Convert a Pillow image to a colour mode with 8 bits per channel."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip instead of scaling
        values = np.asarray(image).astype(np.int64) // 257
        image = import_pillow().Image.fromarray(values.clip(0, 255).astype(np.uint8))
    if image.mode == "F":
        raise BrokenFileError("it holds floating-point numbers; load such files as an array")
    if image.mode in ("P", "PA") and color != "rgba":
        image = image.convert("RGBA")
    return image.convert(MODES[color])


def decode(path, target):
    """Decode one image, turn it upright and resize it; its proportions are kept, the longer side is cropped.

    Parameters
    ----------
    path : str
        Path of the file.
    target : Target
        Size and colour of the result.

    Returns
    -------
    image : ndarray of shape (height, width, channels), uint8

    Raises
    ------
    BrokenFileError
        If the file cannot be decoded.
    """
    PIL = import_pillow()
    height, width = target.size
    try:
        with PIL.Image.open(path) as image:
            if target.resize:
                image.draft(image.mode, (2 * width, 2 * height))  # JPEG decodes faster to a fraction of its size
            image = to_color(PIL.ImageOps.exif_transpose(image), target.color)
            if image.size != (width, height):
                if not target.resize:
                    raise BrokenFileError(
                        f"it is {image.size[1]} x {image.size[0]}, the others {height} x {width}; set "
                        "preprocessor__image_size=(height, width) to resize them"
                    )
                image = PIL.ImageOps.fit(image, (width, height), method=PIL.Image.Resampling.BILINEAR)
            return np.asarray(image).reshape(target.sample_shape)
    except BrokenFileError:
        raise
    except FileNotFoundError as error:
        raise BrokenFileError("there is no such file") from error
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise BrokenFileError(f"it cannot be decoded ({error})") from error


def find_target(paths, image_size, color, n_threads):
    """Find the size and colour to bring files to, from the caller's choice and the files' headers.

    Parameters
    ----------
    paths : list of str
        Paths of the files.
    image_size : int, pair of int or None
        Height and width, or the side of a square; None for the one size that all files have.
    color : {"auto", "grey", "rgb", "rgba"}
        Colour mode; "auto" is grey if no file is in colour, else RGB.
    n_threads : int
        Number of threads that read headers.

    Returns
    -------
    target : Target

    Raises
    ------
    ValueError
        If no file can be read.
    """
    headers = []
    if image_size is None or color == "auto":
        with ThreadPoolExecutor(n_threads) as pool:
            headers = [header for header in pool.map(read_header, paths) if header is not None]
        if not headers:
            reason = "its header cannot be read"
            try:
                decode(paths[0], Target((1, 1), "rgb", resize=True))
            except BrokenFileError as error:
                reason = error
            raise ValueError(
                f"None of the {len(paths)} files of X can be read. X[0]={paths[0]!r}: {reason}. Give absolute "
                "paths of image files, or paths relative to the working directory."
            )
    if color == "auto":
        color = "rgb" if any(header.colored for header in headers) else "grey"
    if image_size is None:
        return Target(headers[0].size, color, resize=False)
    size = (image_size, image_size) if np.ndim(image_size) == 0 else tuple(image_size)
    target = Target(tuple(map(int, size)), color, resize=True)
    needed = math.prod(target.sample_shape)
    if needed > MAX_IMAGE_BYTES:
        raise ValueError(
            f"image_size={image_size!r} makes every image {needed / 2**30:,.3g} GiB large. Give a smaller size."
        )
    return target


def make_target(sample_shape, resize):
    """Make the target that brings files to the shape of images that came as an array.

    Raises
    ------
    ValueError
        If no colour mode has as many channels.
    """
    height, width, channels = sample_shape
    for color, n_bands in BANDS.items():
        if n_bands == channels:
            return Target((height, width), color, resize)
    raise ValueError(
        f"X holds paths, but image files have 1, 3 or 4 channels and the images in fit had {channels}. Give an array."
    )
