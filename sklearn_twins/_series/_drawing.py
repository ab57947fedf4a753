"""Draw time series and views of them: waves, one row per series."""

import numpy as np

WIDTH, GAP, HEIGHT = 1.0, 0.15, 6.0  # of a picture, between pictures, and of a row, in standard deviations


def draw_series(pictures, titles, make_axes, names, n_codes):
    """Draw time series next to each other, one colour for each channel.

    Parameters
    ----------
    pictures : list of ndarray of shape (n, channels, length)
        The series, then views of them.
    titles : list of str
        One for each picture.
    make_axes : callable
        ``make_axes(figsize=...)`` returns the matplotlib Axes.
    names, n_codes
        Not used: series have no columns.

    Returns
    -------
    lines : matplotlib LineCollection
        All waves.
    marks : None
        Series have no marks.
    """
    from matplotlib.collections import LineCollection

    n = len(pictures[0])
    pictures = [hide_missing(np.asarray(picture, dtype=np.float64)) for picture in pictures]
    _, n_channels, length = pictures[0].shape
    ax = make_axes(figsize=(2.1 * len(pictures) + 0.6, 0.7 * n + 0.6))
    segments, colors = [], []
    for j, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
        left = j * (WIDTH + GAP)
        steps = left + np.linspace(0, WIDTH, length)
        for i, series in enumerate(np.clip(picture, -HEIGHT, HEIGHT)):
            for channel, values in enumerate(series):
                segments.append(np.column_stack([steps, values - i * HEIGHT]))
                colors.append(f"C{channel % 10}")
        ax.text(left + WIDTH / 2, 0.75 * HEIGHT, title, ha="center", va="bottom", fontsize="small")
    lines = ax.add_collection(LineCollection(segments, colors=colors, linewidths=1.0 if n_channels < 4 else 0.7))
    ax.set_xlim(-GAP, len(pictures) * (WIDTH + GAP))
    ax.set_ylim(-n * HEIGHT + HEIGHT / 2, HEIGHT)
    ax.set_axis_off()
    return lines, None


def hide_missing(picture):
    """Replace missing steps by NaN, which are not drawn, and drop the channel that marks them, if there is one.

    That is the last one of several if it holds only 0 and 1, and all others are 0 where it is 0.
    """
    mark, values = picture[:, -1:], picture[:, :-1]
    is_mark = (
        values.shape[1] > 0
        and np.isin(mark, (0, 1)).all()
        and not values[np.broadcast_to(mark == 0, values.shape)].any()
    )
    return np.where(mark > 0, values, np.nan) if is_mark else picture
