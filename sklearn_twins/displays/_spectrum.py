"""Plot the spectrum of an embedding: the eigenvalues of its covariance, next to those of a random encoder."""

import numpy as np

from ..metrics._spectrum import covariance_spectrum, effective_rank
from ._estimators import find_embedder
from ._style import COLORS, GREY, get_axes

RANDOM_ENCODER_ROWS = 2_048  # rows from which a random encoder's batch statistics are estimated, at most
STYLES = ("-", "--", "-.", ":")


class SpectrumDisplay:
    """Plot the eigenvalues of the covariance of embeddings, as shares of their sum, largest first.

    If a line drops steeply, the embedding has collapsed to few directions.

    Parameters
    ----------
    embeddings : dict of str to array-like of shape (n, d)
        Embeddings by name; the names are in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the plot.
    lines_ : dict of str to matplotlib Line2D
        Lines by the names of the embeddings.
    effective_rank_ : dict of str to float
        Effective rank of each embedding, see `sklearn_twins.metrics.effective_rank`.

    See Also
    --------
    sklearn_twins.metrics.effective_rank : How many directions an embedding uses, as a number.
    sklearn_twins.BarlowTwinsEmbedder.diagnose : A report on an embedding, with likely causes of a collapse.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_twins.displays import SpectrumDisplay
    >>> z = np.random.default_rng(0).normal(size=(1000, 4))
    >>> display = SpectrumDisplay({"all": z, "one": z[:, :1] * np.ones(4)}).plot()
    >>> {name: round(float(rank), 1) for name, rank in display.effective_rank_.items()}
    {'all': 4.0, 'one': 1.0}
    """

    def __init__(self, embeddings):
        self.embeddings = embeddings

    @classmethod
    def from_estimator(cls, embedder, X, *, random_encoder=True, ax=None):
        """Plot the spectrum of an embedder's encoder.

        Parameters
        ----------
        embedder : BarlowTwinsEmbedder
            Fitted embedder, or a fitted pipeline that holds one. The plot shows the encoder's output, without the
            columns that `passthrough` adds.
        X : data frame, array-like or sparse array of shape (n, n_features_in_); images
            Rows, preferably not those of `fit`; more rows than the embedding has coordinates.
        random_encoder : bool, default=True
            Whether to show the same encoder with random weights too, to see what training has changed. Ignored if the
            encoder is your own module.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        display : SpectrumDisplay
            The display, which holds the matplotlib objects.

        Raises
        ------
        NotFittedError
            If the embedder is not fitted.
        """
        from .._inference._embed import embed
        from .._parts._user_encoder import ReadyEncoder

        embedder, X = find_embedder(embedder, X)
        embedder = embedder._snapshot()  # another thread may fit it again
        spec = embedder.preprocessor_.spec_
        samples = spec.complete(embedder.preprocessor_.transform(X, owner=embedder))
        embeddings = {"embedding": embed(embedder.encoder_, samples, spec, embedder.precision, embedder.n_jobs)}
        if random_encoder and not isinstance(embedder._recipe.encoder, ReadyEncoder):
            encoder = build_random_encoder(embedder, samples)
            embeddings["random encoder"] = embed(encoder, samples, spec, "float32", embedder.n_jobs)
        return cls(embeddings).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes a new figure.

        Returns
        -------
        display : SpectrumDisplay
            The display itself.
        """
        self.ax_ = ax = get_axes(ax)
        self.figure_, self.lines_, self.effective_rank_ = ax.figure, {}, {}
        colors = (COLORS[0], GREY, *COLORS[1:])
        for i, (name, Z) in enumerate(self.embeddings.items()):
            Z = np.asarray(Z, dtype=np.float64)
            values = covariance_spectrum(Z)
            shares, rank = values / max(values.sum(), np.finfo(float).tiny), effective_rank(Z)
            label = f"{name}: {rank:.1f} of {Z.shape[1]}"
            style = {"color": colors[i % len(colors)], "linestyle": STYLES[i % len(STYLES)], "label": label}
            kept = shares > 1e-12  # smaller ones are rounding errors
            (self.lines_[name],) = ax.plot(np.arange(1, len(shares) + 1)[kept], shares[kept], **style)
            self.effective_rank_[name] = rank
        ax.set(xlabel="eigenvalue", ylabel="share of the variance", yscale="log")
        ax.grid(alpha=0.3)
        ax.legend(title="effective rank", fontsize="small", title_fontsize="small")
        return self


def build_random_encoder(embedder, samples):
    """Build the encoder of an embedder with random weights, and estimate its batch statistics from samples."""
    import torch

    from .._persistence._state import finish
    from .._runtime._torch_state import isolated_torch_state

    step = max(1, len(samples) // RANDOM_ENCODER_ROWS)
    rows = torch.from_numpy(np.array(samples[np.arange(0, len(samples), step)[:RANDOM_ENCODER_ROWS]]))
    with isolated_torch_state(torch.device("cpu"), 1), torch.no_grad():
        encoder = embedder._recipe.build().train()
        for layer in encoder.modules():
            if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
                layer.momentum = None  # the mean over all batches
        for batch in rows.split(256):
            if len(batch) > 1:
                encoder(batch)
    return finish(encoder)
