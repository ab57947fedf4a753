"""Plot the losses of a fit by epoch: the loss, its terms, and the sampling noise of the redundancy."""

from ._estimators import find_embedder
from ._style import COLORS, GREY, get_axes

NOT_TERMS = ("epoch", "loss", "excess_redundancy", "learning_rate", "seconds", "rows_per_second")
STYLES = ("--", "-.", ":")


class TrainingCurveDisplay:
    """Plot the losses of a fit by epoch.

    Parameters
    ----------
    history : dict of str to ndarray of shape (epochs,)
        History of a fit, as an embedder's `history_`: "epoch", "loss" and the objective's terms; "valid_loss" if rows
        were held out; "excess_redundancy" if the noise of the redundancy is known.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the plot.
    lines_ : dict of str to matplotlib Line2D
        Lines by name: "loss", the objective's terms, "noise of redundancy" and "held-out loss".

    See Also
    --------
    sklearn_twins.BarlowTwinsEmbedder.diagnose : A report on an embedding, with likely causes of a collapse.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_twins import BarlowTwinsEmbedder
    >>> from sklearn_twins.displays import TrainingCurveDisplay
    >>> embedder = BarlowTwinsEmbedder(max_epochs=3, random_state=0).fit(load_iris().data)
    >>> sorted(TrainingCurveDisplay.from_estimator(embedder).lines_)
    ['invariance', 'loss', 'noise of redundancy', 'redundancy']
    """

    def __init__(self, history):
        self.history = history

    @classmethod
    def from_estimator(cls, embedder, *, ax=None):
        """Plot the history of a fitted embedder.

        Parameters
        ----------
        embedder : BarlowTwinsEmbedder
            Fitted embedder, or a fitted pipeline that holds one.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        display : TrainingCurveDisplay
            The display, which holds the matplotlib objects.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        """
        return cls(find_embedder(embedder)[0].history_).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        display : TrainingCurveDisplay
            The display itself.
        """
        self.ax_ = ax = get_axes(ax)
        self.figure_, self.lines_ = ax.figure, {}
        epochs, history = self.history["epoch"], self.history
        terms = [name for name in history if name not in NOT_TERMS and not name.startswith("valid_")]
        self._line("loss", epochs, history["loss"], color=GREY, linewidth=2.5)
        for i, name in enumerate(terms):
            self._line(name, epochs, history[name], color=COLORS[i % len(COLORS)], linestyle=STYLES[i % len(STYLES)])
        if "excess_redundancy" in history:
            noise = history["redundancy"] - history["excess_redundancy"]
            self._line("noise of redundancy", epochs, noise, color=GREY, linestyle=":", linewidth=1)
        if "valid_loss" in history:
            self._line("held-out loss", epochs, history["valid_loss"], color=COLORS[4], linewidth=1.5)
        ax.set(xlabel="epoch", ylabel="mean over the batches", ylim=(min(0, ax.get_ylim()[0]), None))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(alpha=0.3)
        ax.legend()
        return self

    def _line(self, name, x, y, **style):
        alone = {"marker": "o"} if len(x) == 1 else {}
        (self.lines_[name],) = self.ax_.plot(x, y, label=name, **alone, **style)
