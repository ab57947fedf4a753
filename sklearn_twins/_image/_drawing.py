"""Draw images and views of them: tiles, one row per image."""

import numpy as np

SHOWN = (0, 1, 2)  # channels that are drawn as red, green and blue if there are more than three


def draw_images(pictures, titles, make_axes, names, n_codes):
    """Draw images next to each other.

    Parameters
    ----------
    pictures : list of ndarray of shape (n, channels, height, width)
        The images, then views of them; intensities.
    titles : list of str
        One for each picture.
    make_axes : callable
        ``make_axes(figsize=...)`` returns the matplotlib Axes.
    names, n_codes
        Not used: images have no columns.

    Returns
    -------
    image : matplotlib AxesImage
        All tiles in one picture.
    marks : None
        Images have no marks.
    """
    n, _, height, width = np.shape(pictures[0])
    gap, wide_gap = max(1, width // 16), max(2, width // 6)
    ax = make_axes(figsize=(1.1 * len(pictures), 1.0 * n * height / width + 0.4))
    columns = []
    for j, images in enumerate(pictures):
        tiles = [np.pad(to_rgb(image), ((0, gap), (0, 0), (0, 0)), constant_values=1) for image in images]
        right = gap if j % 2 else wide_gap
        columns.append(np.pad(np.concatenate(tiles), ((0, 0), (0, right), (0, 0)), constant_values=1))
    image, left = ax.imshow(np.concatenate(columns, axis=1), interpolation="nearest"), 0
    for column, title in zip(columns, titles, strict=True):
        ax.text(left + width / 2, -gap, title, ha="center", va="bottom", fontsize="small")
        left += column.shape[1]
    ax.set_axis_off()
    return image, None


def to_rgb(image):
    """An image as matplotlib takes it: grey, or three of its channels.  # (channels, height, width) -> (h, w, 3)"""
    channels = [0, 0, 0] if len(image) < 3 else list(SHOWN)
    return np.clip(np.moveaxis(np.asarray(image)[channels], 0, -1), 0, 1)
