"""Mixed Barlow Twins: the projection of a mixture of two rows should be the mixture of their projections."""

from numbers import Real

import torch
from sklearn.utils._param_validation import Interval

from .._parts._augmentation import move_towards
from ._barlow_twins import barlow_twins_terms
from ._correlation import CorrelationObjective, squared_norm, standardize


def mixing_term(z_a, z_b, z_m, share, partners):
    """Measure how far the correlations of mixed projections are from the mixture of correlations.

    ``||C^MA - (t C^AA + (1 - t) C^SA)||_F^2 + ||C^MB - (t C^AB + (1 - t) C^SB)||_F^2``, where t is `share`, S are the
    rows of B in the order of `partners`, and C are correlations of standardised projections. Both norms are of
    ``(s_m - t s_a - (1 - t) s_s)' s / n``, so that one product is enough.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (batch, dim)
        Projections of two views of the same rows.
    z_m : Tensor of shape (batch, dim)
        Projections of mixed rows: t times a row's first view plus 1 - t times its partner's second view.
    share : Tensor of shape (batch, 1) or float
        Share t of a row's first view, in [0, 1].
    partners : Tensor of shape (batch,), int64
        Index of the row that each row is mixed with.

    Returns
    -------
    term : scalar Tensor
        Sum of both squared norms, without a weight.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.objectives import mixing_term
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> partners = torch.tensor([1, 0, 3, 2])
    >>> z_m = 0.5 * z + 0.5 * z[partners]  # mixed in the same way as the rows
    >>> round(mixing_term(z, z, z_m, 0.5, partners).item(), 3)
    0.0
    """
    s_a, s_b, s_m = standardize(z_a), standardize(z_b), standardize(z_m)
    rest = s_m - share * s_a - (1 - share) * s_b.index_select(0, partners)  # (batch, dim)
    return squared_norm(rest, torch.cat([s_a, s_b], 1))


class MixedBarlowTwins(CorrelationObjective):
    """Barlow Twins with mixed rows, against overfitting.

    In each batch a share t is drawn uniformly from [0, 1], and every row's first view is mixed with another row's
    second view. Projections of mixed rows should be mixed in the same way. So this term is added to the objective of
    :class:`BarlowTwins`:
    ``mixing_weight * w * (||C^MA - (t C^AA + (1 - t) C^SA)||^2 + ||C^MB - (t C^AB + (1 - t) C^SB)||^2)``,
    where M are the mixed rows and S the second views in the order in which they were mixed in. Training passes a third
    batch through the networks in each step.

    Parameters
    ----------
    off_diagonal_weight : "auto" or float, default="auto"
        Weight w of the off-diagonal sum, as in `BarlowTwins`. "auto" is 1 over the projection's width.
    mixing_weight : float, default=4.0
        Weight of the mixed rows' term, in units of w. The authors use 4 on CIFAR-10.

    See Also
    --------
    BarlowTwins : The objective without mixed rows.
    sklearn_twins.augmentations.Mixup : An augmentation whose views are mixed rows, for any objective.

    Notes
    -----
    Called with two projections it is Barlow Twins. Training calls `mix` for the mixed rows and passes their projection
    to `mixed_terms`.

    Categories of tables cannot be mixed: with probability 1 - t the partner's category is taken. If the partner's
    number is missing, the row keeps its own.

    NOTE[DIFF]: the authors standardise with the unbiased standard deviation; here it is the biased one, as in Barlow
    Twins.

    References
    ----------
    Bandara, De Melo and Patel, "Guarding Barlow Twins Against Overfitting with Mixed Samples", arXiv 2312.02151, 2023,
    section 3, and the code that goes with it.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_twins import BarlowTwinsEmbedder
    >>> from sklearn_twins.objectives import MixedBarlowTwins
    >>> embedder = BarlowTwinsEmbedder(objective=MixedBarlowTwins(mixing_weight=2.0), max_epochs=1, random_state=0)
    >>> "mixing" in embedder.fit(load_wine().data).history_
    True
    """

    _parameter_constraints: dict = {
        **CorrelationObjective._parameter_constraints,
        "mixing_weight": [Interval(Real, 0, None, closed="left")],
    }
    correlation_terms = staticmethod(barlow_twins_terms)

    def __init__(self, off_diagonal_weight="auto", mixing_weight=4.0):
        self.off_diagonal_weight = off_diagonal_weight
        self.mixing_weight = mixing_weight

    def mix(self, x_a, x_b, spec, generator):
        """Mix each row's first view with another row's second view.

        Parameters
        ----------
        x_a, x_b : Tensors of shape (batch, *sample_shape)
            Two views of the same rows.
        spec : SampleSpec
            Layout of a sample.
        generator : torch.Generator
            Random generator, on the device of the views.

        Returns
        -------
        x_m : Tensor of shape (batch, *sample_shape)
            The mixed rows.
        mixture : tuple
            Each row's share and partner, for `mixed_terms`: Tensors of shape (batch, 1) and (batch,).
        """
        batch, device = x_a.shape[0], x_a.device
        share = torch.rand((), generator=generator, device=device)
        partners = torch.randperm(batch, generator=generator, device=device)
        n_numbers = spec.n_interpolated
        away = (1 - share).expand(batch, *[1] * (x_a.dim() - 1))
        return move_towards(x_a, x_b.index_select(0, partners), away, n_numbers, generator), (
            share.expand(batch, 1),
            partners,
        )

    def mixed_terms(self, z_a, z_b, z_m, mixture):
        """Compute the invariance, the weighted redundancy and the weighted term of the mixed rows.

        Parameters
        ----------
        z_a, z_b, z_m : Tensors of shape (batch, dim)
            Projections of both views and of the mixed rows.
        mixture : tuple
            Share and partners, from `mix`.

        Returns
        -------
        terms : dict of str to scalar Tensor
            "invariance", "redundancy" and "mixing".
        """
        weight = self.mixing_weight * self.weight_of(z_a.shape[1])
        return {**self.terms(z_a, z_b), "mixing": weight * mixing_term(z_a, z_b, z_m, *mixture)}
