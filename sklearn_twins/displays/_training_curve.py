"""The course of a fit: the loss, its terms, and how much of one is sampling noise."""

from sklearn.utils.validation import check_is_fitted

from ._style import COLORS, GREY, axes_for

NOT_TERMS = ("epoch", "loss", "excess_redundancy", "learning_rate", "seconds", "rows_per_second")
STYLES = ("--", "-.", ":")


class TrainingCurveDisplay:
    """Draw the losses of a fit by epoch.

    Parameters
    ----------
    history : dict of str to ndarray of shape (epochs,)
        As `history_` of an embedder: "epoch", "loss", the objective's terms; "valid_loss" if rows were held out;
        "excess_redundancy" if the noise of the redundancy term is known.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure that these belong to.
    lines_ : dict of str to matplotlib Line2D
        By the name of what they show.

    See Also
    --------
    sklearn_twins.BarlowTwinsEmbedder.diagnose : What is wrong with an embedding, in words.

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
        """Draw the fit of an embedder.

        Parameters
        ----------
        embedder : BarlowTwinsEmbedder
            The fitted embedder.
        ax : matplotlib Axes or None, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        display : TrainingCurveDisplay
            What has been drawn.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        """
        check_is_fitted(embedder)
        return cls(embedder.history_).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None for a figure of its own.

        Returns
        -------
        display : TrainingCurveDisplay
            The display itself.
        """
        self.ax_ = ax = axes_for(ax)
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
