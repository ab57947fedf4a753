"""Axes, colours and markers of all displays."""

# The colours of Okabe and Ito, which colour-blind readers can distinguish, without yellow and black, which do not show
# on a light or a dark page. With more classes than colours, markers differ too.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = "o^sDvPX*"
GREY = "#808080"  # shows on a light and on a dark page


def get_axes(ax, **options):
    """Return the caller's axes, or those of a new figure.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Axes of the caller.
    **options : dict
        Options of `matplotlib.pyplot.subplots` for a new figure.

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
        raise ImportError("Displays need matplotlib. Install it: `pip install matplotlib`.") from error
    return ax if ax is not None else plt.subplots(layout="constrained", **options)[1]
