"""What all pictures have in common: where they are drawn, and colours that colour-blind readers can tell apart."""

# Okabe and Ito's, but for yellow and black, which are lost on a light or a dark page. Markers go with them where there
# are more classes than colours.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = "o^sDvPX*"
GREY = "#808080"  # is seen on a light and on a dark page


def axes_for(ax, **options):
    """The axes to draw on: the caller's, or new ones of a figure of their own.

    Parameters
    ----------
    ax : matplotlib Axes or None
        The caller's.
    **options : dict
        Of `matplotlib.pyplot.subplots`.

    Returns
    -------
    ax : matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('Pictures need matplotlib: pip install "sklearn-twins[plot]".') from error
    return ax if ax is not None else plt.subplots(layout="constrained", **options)[1]
