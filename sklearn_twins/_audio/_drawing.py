"""Draw spectrograms and views of them next to each other, one row per clip."""

import numpy as np


def draw_spectrograms(pictures, titles, make_axes, names, n_codes):
    """Draw spectrograms, low frequencies at the bottom and time to the right.

    Parameters
    ----------
    pictures : list of ndarray of shape (n, bands, frames)
        The clips, with NaN behind their end, then views of them, which may have fewer frames.
    titles : list of str
        One for each picture.
    make_axes : callable
        ``make_axes(figsize=...)`` returns the matplotlib Axes.
    names, n_codes
        Not used: spectrograms have no columns.

    Returns
    -------
    image : matplotlib AxesImage
        All tiles in one picture.
    marks : None
        Spectrograms have no marks.
    """
    n, bands, _ = pictures[0].shape
    gap = max(2, bands // 12)
    ax = make_axes(figsize=(2.2 * len(pictures), 1.1 * n + 0.4))
    columns, lefts, left = [], [], 0
    for picture in pictures:
        tiles = np.pad(picture[:, ::-1], ((0, 0), (0, gap), (0, gap)), constant_values=np.nan)
        columns.append(np.concatenate(list(tiles)))
        lefts.append(left)
        left += tiles.shape[2]
    image = ax.imshow(np.concatenate(columns, axis=1), interpolation="nearest", aspect="auto", cmap="magma")
    for start, picture, title in zip(lefts, pictures, titles, strict=True):
        ax.text(start + picture.shape[2] / 2, -gap, title, ha="center", va="bottom", fontsize="small")
    ax.set_axis_off()
    return image, None
