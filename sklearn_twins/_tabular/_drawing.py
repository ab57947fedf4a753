"""Draw rows of a table and views of them: coloured cells, with dots on changed ones."""

import numpy as np

MOST_NAMES = 60  # of columns that are written next to each other


def draw_tables(pictures, titles, make_axes, names, n_codes):
    """Draw tables next to each other.

    Parameters
    ----------
    pictures : list of ndarray of shape (n, columns)
        The samples, then views of them.
    titles : list of str
        One for each picture.
    make_axes : callable
        ``make_axes(figsize=...)`` returns the matplotlib Axes.
    names : list of str or None
        Names of the columns.
    n_codes : tuple of int
        Number of codes of each of the last columns, if these are categories.

    Returns
    -------
    image : matplotlib AxesImage
        The cells.
    marks : matplotlib PathCollection
        Dots on the cells that views changed.
    """
    samples = pictures[0]
    n, d = np.shape(samples)
    ax = make_axes(figsize=(min(14, max(4, 0.28 * d * len(pictures) + 1.5)), 0.28 * n + 1.6))
    lefts = np.arange(len(pictures)) * (d + 1)
    table = np.full((n, lefts[-1] + d), np.nan)
    places = []
    for left, title, picture in zip(lefts, titles, pictures, strict=True):
        table[:, left : left + d] = to_colors(picture, n_codes)
        same = (picture == samples) | (np.isnan(picture) & np.isnan(samples))
        places.append(np.argwhere(~same)[:, ::-1] + [left, 0])
        ax.text(left + d / 2 - 0.5, -0.8, title, ha="center", va="bottom", fontsize="small")
    image = ax.imshow(
        np.ma.masked_invalid(table), cmap="RdBu_r", vmin=-3, vmax=3, interpolation="nearest", aspect="auto"
    )
    places = np.concatenate(places)
    marks = ax.scatter(*places.T, s=14, facecolors="black", edgecolors="white", linewidths=0.8)
    named = names is not None and d * len(pictures) <= MOST_NAMES
    ticks = (lefts[:, None] + np.arange(d)).ravel() if named else []
    ax.set_xticks(ticks, list(names) * len(pictures) if named else [], rotation=90, fontsize="x-small")
    ax.set(ylabel="row of X", yticks=range(n))
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(image, ax=ax, label="scaled number; dots: changed", shrink=0.9)
    return image, marks


def to_colors(picture, n_codes):
    """Numbers as they are, codes of categories spread over the range of colours.  # (n, columns)"""
    colors = np.array(picture, dtype=np.float64)
    for j, n in enumerate(n_codes, colors.shape[1] - len(n_codes)):
        colors[:, j] = 4 * colors[:, j] / max(n - 1, 1) - 2
    return colors
