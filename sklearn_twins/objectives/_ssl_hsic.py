"""SSL-HSIC: by a kernel's measure, projections depend on their row and on little else."""

import math
from functools import lru_cache
from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import Interval, StrOptions

from ._correlation import Objective, at_least_float32, squared_norm, standardize
from ._info_nce import unit_norm

ROOT_EPS = 1e-8
MEDIAN_ROWS = 256  # rows of each view whose distances the median is of, at most: 130,816 distances
SCALINGS = {"none": at_least_float32, "standardize": standardize, "unit_norm": unit_norm}


def square_distances(z):
    """Compute the squared Euclidean distances between all rows.  # (rows, dim) -> (rows, rows)"""
    z = z - z.mean(0)  # a large mean would cost digits
    norms = z.square().sum(1)
    return (norms[:, None] + norms - 2 * z @ z.T).clamp(min=0)


def gaussian(squares, bandwidth):
    """Compute ``exp(-r^2 / (2 b^2))`` from squared distances."""
    return torch.exp(-squares / (2 * bandwidth * bandwidth))


def inverse_multiquadric(squares, bandwidth):
    """Compute ``b / sqrt(b^2 + r^2)`` from squared distances."""
    return torch.rsqrt(1 + squares / (bandwidth * bandwidth))


KERNELS = {"gaussian": gaussian, "inverse_multiquadric": inverse_multiquadric}


def median_distance(z_a, z_b):
    """Compute the median distance between rows, both views pooled, without a gradient.

    The result is 1 if most rows are the same up to rounding. Only the first 256 rows of each view are used, and the
    lower of two middle distances.
    """
    with torch.no_grad():
        z = torch.cat([z_a[:MEDIAN_ROWS], z_b[:MEDIAN_ROWS]])
        i, j = torch.triu_indices(len(z), len(z), 1, device=z.device)
        median = square_distances(z)[i, j].median()
        rounding = (10 * torch.finfo(z.dtype).eps) ** 2 * z.square().sum(1).mean()
        return torch.where(median > rounding, median, torch.ones_like(median)).sqrt()


@lru_cache(maxsize=8)
def draw_frequencies(kernel, dim, n_features, random_state):
    """Draw two sets of a kernel's frequencies at bandwidth 1; the same for the same arguments.

    Frequencies of a Gaussian kernel are normal. The inverse multiquadric kernel is a mean of Gaussian kernels,
    ``1 / sqrt(1 + r^2) = E exp(-g^2 r^2 / 2)`` with g standard normal, so that each of its frequencies is normal times
    a g. The result is cached, since every training step needs it; do not write to it.

    Returns
    -------
    w : Tensor of shape (2, n_features, dim)
    """
    with torch.inference_mode(False):
        generator = torch.Generator().manual_seed(random_state)
        w = torch.randn(2, n_features, dim, generator=generator, dtype=torch.float64)
        if kernel == "inverse_multiquadric":
            w = w * torch.randn(2, n_features, 1, generator=generator, dtype=torch.float64)
        return w


def fourier_features(z, w, bandwidth):
    """Compute features whose inner products approximate a kernel: a cosine and a sine for each frequency.

    Parameters
    ----------
    z : Tensor of shape (rows, dim)
        Projections.
    w : Tensor of shape (n_features, dim)
        Frequencies at bandwidth 1.
    bandwidth : float or scalar Tensor
        Bandwidth of the kernel.

    Returns
    -------
    features : Tensor of shape (rows, 2 * n_features)
        Features with rows of norm 1.
    """
    angles = (z / bandwidth) @ w.to(z.dtype).to(z.device).T
    return torch.cat([angles.cos(), angles.sin()], 1) / math.sqrt(len(w))


def hsic_from_features(phi, psi):
    """Estimate the biased HSIC(Z, Y) and HSIC(Z, Z) from features of both views' rows, without a kernel matrix.

    Parameters
    ----------
    phi, psi : Tensors of shape (2 * batch, n_features)
        Two sets of features of one kernel, view a's rows before view b's; the same set twice if features are exact.

    Returns
    -------
    dependence, spread : scalar Tensors
    """
    n = len(phi) // 2
    phi, psi = phi - phi.mean(0), psi - psi.mean(0)  # this also subtracts mean(K) from the mean over positives
    return (phi[:n] * phi[n:]).sum(1).mean(), squared_norm(phi, psi)


def biased_hsic(K):
    """Estimate the biased HSIC(Z, Y) and HSIC(Z, Z), as in the paper, from the kernel matrix of both views' rows.

    ``mean_i k(a_i, b_i) - mean(K)`` and ``tr(K H K H) / (2 n)^2`` with H the centring matrix.

    Parameters
    ----------
    K : Tensor of shape (2 * batch, 2 * batch)
        Kernel between all rows, view a's before view b's.

    Returns
    -------
    dependence, spread : scalar Tensors
    """
    n = len(K) // 2
    means = K.mean(0)
    dependence = K[:n, n:].diagonal().mean() - means.mean()
    return dependence, (K - means - means[:, None] + means.mean()).square().mean()


def unbiased_hsic(K):
    """Estimate the unbiased HSIC(Z, Y) and HSIC(Z, Z) from the kernel matrix of both views' rows.

    Rows of different samples are independent, the two views of one sample are not. So each expectation over independent
    samples becomes a mean over two, three or four different samples, each with both of its views. With ``u_ij`` the
    mean of k over the views of samples i and j, the estimates are ``mean k(a_i, b_i) - mean_ij u_ij`` and
    ``mean_ij k^2 - 2 mean_ijq k(i, j) k(i, q) + mean_ijqr u_ij u_qr``, where all indices are different.

    Parameters
    ----------
    K : Tensor of shape (2 * batch, 2 * batch)
        Kernel between all rows, view a's before view b's, for at least four samples.

    Returns
    -------
    dependence, spread : scalar Tensors
        The spread is not negative: over any four samples it is a sum of squares.
    """
    n = len(K) // 2
    k = K.reshape(2, n, 2, n) * (1 - torch.eye(n, dtype=K.dtype, device=K.device))[:, None]  # 0 within a sample
    rows = k.mean(2)  # (2, n, n): each row with each sample
    u = rows.mean(0)
    total = u.sum()
    dependence = K[:n, n:].diagonal().mean() - total / (n * (n - 1))
    pairs = k.square().sum() / (4 * n * (n - 1))
    triples = (rows.sum(2).square() - rows.square().sum(2)).sum() / (2 * n * (n - 1) * (n - 2))
    quadruples = total.square() - 4 * u.sum(1).square().sum() + 2 * u.square().sum()
    return dependence, pairs - 2 * triples + quadruples / (n * (n - 1) * (n - 2) * (n - 3))


class SSLHSIC(Objective):
    """SSL-HSIC: projections depend on their row and vary no more than necessary, as measured by a kernel.

    ``-HSIC(Z, Y) + gamma * sqrt(HSIC(Z, Z))``, where Z are the projections, Y the rows they belong to, and HSIC the
    Hilbert-Schmidt independence criterion. Two views of a row should be more similar than two rows are on average,
    while the kernel's features covary little.

    Parameters
    ----------
    kernel : {"linear", "gaussian", "inverse_multiquadric"}, default="inverse_multiquadric"
        Kernel of two projections x and y at distance r: ``x'y``, ``exp(-r^2 / (2 b^2))`` or ``b / sqrt(b^2 + r^2)``,
        where b is the bandwidth.
    gamma : float, default=3.0
        Weight of the second term.
    bandwidth : "median" or float, default="median"
        Bandwidth b. "median" is the median distance between rows of the batch, both views pooled; it has no gradient.
        The linear kernel has no bandwidth.
    scaling : {"unit_norm", "standardize", "none"}, default="unit_norm"
        Scaling of the projections: rows to norm 1, as in the paper; coordinates of each view to mean 0 and variance 1
        over the batch, as in Barlow Twins; or no scaling.
    estimator : {"biased", "unbiased"}, default="biased"
        Estimator of both measures. "biased" is the paper's. "unbiased" leaves out pairs of a sample with itself, which
        matters in small batches; for fewer than four samples it is the biased one.
    n_features : None or int, default=None
        Number of random Fourier features, each a cosine and a sine. They approximate the kernel in time linear in the
        batch. None is the exact kernel, with a matrix of all rows by all rows. The linear kernel is always exact.
    random_state : int, default=0
        Seed of the random features. They are the same in each step, since an objective has no state, so that training
        can exploit their errors: use more features than the projection is wide.

    Notes
    -----
    Its terms are "invariance", ``-HSIC(Z, Y)``, and "redundancy", ``gamma * sqrt(HSIC(Z, Z))``.

    Identical projections cost nothing (``1e-4 gamma``, since a small constant is added below the root). If n rows have
    k = 1 with their other view and 0 with all other rows, the loss is ``-(1 - 1/n) + gamma sqrt(n - 1) / n``. This is
    lower only in batches of more than ``gamma^2 + 1`` rows, 10 with the default; for smaller batches choose a lower
    gamma.

    For the linear kernel, the biased estimator and standardised projections, HSIC(Z, Y) is tr C, where C is the
    cross-correlation of the views, and HSIC(Z, Z) is ``||(C_aa + C_bb) / 2||_F^2``; Barlow Twins is built from the same
    quantities. For the linear kernel without scaling, the loss of wide projections has no lower bound.

    NOTE[DIFF]: as in the paper, HSIC(Z, Y) has no factor 1 / batch (the scale of the kernel of Y), and a row is not its
    own positive. The plain estimate ``tr(K H L H) / (2 n)^2`` with one-hot L, here ``(d + tr C) / (2 n)``, is
    ``(mean_i k(z_i, z_i) / 2 + mean_i k(a_i, b_i) / 2 - mean(K)) / n``. The paper subtracts 1 = k(z, z) for the pairs
    of a row with itself; leaving these pairs out holds for every kernel.

    NOTE[DIFF]: the authors learn the bandwidth together with the network, by the entropy of the kernel's gradient. They
    draw new frequencies in each step, for the inverse multiquadric kernel from a table of their density. Here they come
    from its form as a mean of Gaussian kernels, which is exact, and have a cosine and a sine instead of a random phase,
    so that k(z, z) is exactly 1. As in their code, HSIC(Z, Z) uses two independent sets of features, since the squared
    error of one set does not vanish on average.

    References
    ----------
    Li, Pogodin, Sutherland and Gretton, "Self-Supervised Learning with Kernel Dependence Maximization", NeurIPS 2021,
    arXiv 2106.08320, section 3.1 and 3.2, eq. 5 to 7, and appendix A.

    Rahimi and Recht, "Random Features for Large-Scale Kernel Machines", NIPS 2007, section 3.

    Examples
    --------
    >>> import torch
    >>> from sklearn_twins.objectives import SSLHSIC
    >>> z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> terms = SSLHSIC(kernel="linear", scaling="standardize").terms(z, z)
    >>> round(terms["invariance"].item(), 3), round(terms["redundancy"].item(), 3)  # -d and 3 sqrt(d)
    (-2.0, 4.243)
    """

    _parameter_constraints: dict = {
        "kernel": [StrOptions({"linear", *KERNELS})],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "bandwidth": [StrOptions({"median"}), Interval(Real, 0, None, closed="neither")],
        "scaling": [StrOptions(set(SCALINGS))],
        "estimator": [StrOptions({"biased", "unbiased"})],
        "n_features": [None, Interval(Integral, 1, None, closed="left")],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both")],
    }

    def __init__(
        self,
        kernel="inverse_multiquadric",
        gamma=3.0,
        bandwidth="median",
        scaling="unit_norm",
        estimator="biased",
        n_features=None,
        random_state=0,
    ):
        self.kernel = kernel
        self.gamma = gamma
        self.bandwidth = bandwidth
        self.scaling = scaling
        self.estimator = estimator
        self.n_features = n_features
        self.random_state = random_state

    def check(self):
        """Check the parameters, and refuse random features for the unbiased estimator.

        Returns
        -------
        self : SSLHSIC
            The object itself.

        Raises
        ------
        ValueError
            If a parameter is out of range, or `n_features` is given with estimator="unbiased".
        """
        super().check()
        if self.n_features is not None and self.estimator == "unbiased":
            raise ValueError(
                f"n_features={self.n_features} of SSLHSIC needs estimator='biased'. Got estimator='unbiased', which "
                "needs the exact kernel: set n_features=None."
            )
        return self

    def terms(self, z_a, z_b):
        """Compute the invariance and the weighted redundancy.

        Parameters
        ----------
        z_a, z_b : Tensors of shape (batch, dim)
            Projections of two views of the same rows.

        Returns
        -------
        terms : dict of str to scalar Tensor
            "invariance" and "redundancy".
        """
        with torch.autocast(z_a.device.type, enabled=False):
            scale = SCALINGS[self.scaling]
            dependence, spread = self.measure(scale(z_a), scale(z_b))
        # The root's slope is infinite at 0, and rounding may make a spread of 0 negative.
        return {"invariance": -dependence, "redundancy": self.gamma * (torch.relu(spread) + ROOT_EPS).sqrt()}

    def measure(self, z_a, z_b):
        """Estimate HSIC(Z, Y) and HSIC(Z, Z) of scaled projections.

        Parameters
        ----------
        z_a, z_b : Tensors of shape (batch, dim)
            Scaled projections of two views of the same rows.

        Returns
        -------
        dependence, spread : scalar Tensors
            HSIC(Z, Y) and HSIC(Z, Z).
        """
        z = torch.cat([z_a, z_b])  # (2 * batch, dim)
        is_biased = self.estimator == "biased" or len(z_a) < 4
        if self.kernel == "linear":
            return hsic_from_features(z, z) if is_biased else unbiased_hsic(z @ z.T)
        bandwidth = median_distance(z_a, z_b) if self.bandwidth == "median" else self.bandwidth
        if is_biased and self.n_features is not None:
            w, v = draw_frequencies(self.kernel, z.shape[1], self.n_features, self.random_state)
            return hsic_from_features(fourier_features(z, w, bandwidth), fourier_features(z, v, bandwidth))
        K = KERNELS[self.kernel](square_distances(z), bandwidth)
        return biased_hsic(K) if is_biased else unbiased_hsic(K)
