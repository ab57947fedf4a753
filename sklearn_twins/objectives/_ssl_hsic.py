"""SSL-HSIC: projections depend on which row they are of, by a kernel's measure, and little else."""

import math
from functools import lru_cache
from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import Interval, StrOptions

from ._correlation import Objective, at_least_float32, squared_norm, standardize
from ._info_nce import unit_norm

EPS = 1e-8
MEDIAN_OF_ROWS = 256  # of each view: 130,816 distances
SCALINGS = {"none": at_least_float32, "standardize": standardize, "unit_norm": unit_norm}


def square_distances(z):
    """Squared Euclidean distances between all rows.  # (rows, dim) -> (rows, rows)"""
    z = z - z.mean(0)  # what rows have in common would cost digits
    norms = z.square().sum(1)
    return (norms[:, None] + norms - 2 * z @ z.T).clamp(min=0)


def gaussian(squares, bandwidth):
    """``exp(-r^2 / (2 b^2))`` of squared distances."""
    return torch.exp(-squares / (2 * bandwidth**2))


def inverse_multiquadric(squares, bandwidth):
    """``b / sqrt(b^2 + r^2)`` of squared distances."""
    return torch.rsqrt(1 + squares / bandwidth**2)


KERNELS = {"gaussian": gaussian, "inverse_multiquadric": inverse_multiquadric}


def median_distance(z_a, z_b):
    """Median distance between rows of both views pooled, without gradient; 1 if most rows are alike to rounding.

    Of a batch of more than 256, its first 256 rows are enough. The lower one of two middle distances.
    """
    with torch.no_grad():
        z = torch.cat([z_a[:MEDIAN_OF_ROWS], z_b[:MEDIAN_OF_ROWS]])
        i, j = torch.triu_indices(len(z), len(z), 1, device=z.device)
        median = square_distances(z)[i, j].median()
        rounding = (10 * torch.finfo(z.dtype).eps) ** 2 * z.square().sum(1).mean()
        return torch.where(median > rounding, median, torch.ones_like(median)).sqrt()


@lru_cache(maxsize=8)
def frequencies(kernel, dim, n_features, random_state):
    """Two draws of a kernel's frequencies at bandwidth 1: the same for the same arguments.

    A Gaussian kernel's are normal. The inverse multiquadric kernel is a mean of Gaussian ones,
    ``1 / sqrt(1 + r^2) = E exp(-g^2 r^2 / 2)`` with g standard normal, so its are normal times one g for each.
    They are kept, since training asks for the same ones at every step, and must not be written to.

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
    """Features whose inner products approximate a kernel: a cosine and a sine for each frequency.

    Parameters
    ----------
    z : Tensor of shape (rows, dim)
        Projections.
    w : Tensor of shape (n_features, dim)
        Frequencies at bandwidth 1.
    bandwidth : float or scalar Tensor
        The kernel's.

    Returns
    -------
    features : Tensor of shape (rows, 2 * n_features)
        Of norm 1.
    """
    angles = (z / bandwidth) @ w.to(z.dtype).to(z.device).T
    return torch.cat([angles.cos(), angles.sin()], 1) / math.sqrt(len(w))


def of_features(phi, psi):
    """Biased HSIC(Z, Y) and HSIC(Z, Z) from features of both views' rows, without a matrix of rows by rows.

    Parameters
    ----------
    phi, psi : Tensors of shape (2 * batch, n_features)
        Two sets of features of one kernel, view a's rows above view b's; one set twice if they are exact.

    Returns
    -------
    dependence, spread : scalar Tensors
    """
    n = len(phi) // 2
    phi, psi = phi - phi.mean(0), psi - psi.mean(0)  # which is also what takes mean(K) from the mean over positives
    return (phi[:n] * phi[n:]).sum(1).mean(), squared_norm(phi, psi)


def biased(K):
    """Biased HSIC(Z, Y) and HSIC(Z, Z), as in the paper, from the kernel matrix of both views' rows.

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


def unbiased(K):
    """Unbiased HSIC(Z, Y) and HSIC(Z, Z) from the kernel matrix of both views' rows.

    Rows of different samples are independent, the two views of one are not: every expectation over independent
    samples is a mean over two, three or four different ones, each with both of its views. With ``u_ij`` the mean of
    k over the views of samples i and j, ``mean k(a_i, b_i) - mean_ij u_ij`` and
    ``mean_ij k^2 - 2 mean_ijq k(i, j) k(i, q) + mean_ijqr u_ij u_qr``, the indices all different.

    Parameters
    ----------
    K : Tensor of shape (2 * batch, 2 * batch)
        Kernel between all rows, view a's before view b's, of at least four samples.

    Returns
    -------
    dependence, spread : scalar Tensors
        The spread is not negative: over four samples, it is a sum of squares.
    """
    n = len(K) // 2
    k = K.reshape(2, n, 2, n) * (1 - torch.eye(n, dtype=K.dtype, device=K.device))[:, None]  # views of one sample: 0
    rows = k.mean(2)  # (2, n, n): a row with the samples
    u = rows.mean(0)
    total = u.sum()
    dependence = K[:n, n:].diagonal().mean() - total / (n * (n - 1))
    pairs = k.square().sum() / (4 * n * (n - 1))
    triples = (rows.sum(2).square() - rows.square().sum(2)).sum() / (2 * n * (n - 1) * (n - 2))
    quadruples = total.square() - 4 * u.sum(1).square().sum() + 2 * u.square().sum()
    return dependence, pairs - 2 * triples + quadruples / (n * (n - 1) * (n - 2) * (n - 3))


class SSLHSIC(Objective):
    """SSL-HSIC: by a kernel's measure, projections depend on their row, and vary no more than that takes.

    With k the kernel and Y the row a projection Z belongs to, ``-HSIC(Z, Y) + gamma * sqrt(HSIC(Z, Z))``: two views of
    a row are more alike than two rows are on average, while the kernel's features covary little.

    Parameters
    ----------
    kernel : {"linear", "gaussian", "inverse_multiquadric"}, default="inverse_multiquadric"
        Of x, y at distance r: ``x'y``, ``exp(-r^2 / (2 b^2))`` or ``b / sqrt(b^2 + r^2)``, b the bandwidth.
    gamma : float, default=3.0
        Weight of the second term.
    bandwidth : "median" or float, default="median"
        The b of the kernels. "median" is the median distance between rows of the batch, both views pooled, through
        which no gradient goes. The linear kernel has none.
    scaling : {"unit_norm", "standardize", "none"}, default="unit_norm"
        What is done to projections first: rows to norm 1, as in the paper; coordinates of each view to mean 0 and
        variance 1 over the batch, as for Barlow Twins; or nothing.
    estimator : {"biased", "unbiased"}, default="biased"
        Of both measures. "biased" is the paper's. "unbiased" leaves out pairs of a sample with itself, which matters
        in small batches; below four samples, it is the biased one.
    n_features : None or int, default=None
        Random Fourier features, a cosine and a sine each, of which the kernel is approximated in time linear in the
        batch. None is the exact kernel, with a matrix of all rows by all rows. The linear kernel needs none.
    random_state : int, default=0
        Seed of these features. An objective has no state and is given no generator, so they are the same at each step,
        and training makes use of their errors: take more of them than the projection is wide.

    Notes
    -----
    Its terms are "invariance", ``-HSIC(Z, Y)``, and "redundancy", the other.

    Projections that are all alike cost nothing (``1e-4 gamma``, by the guard of the root). If n rows have k = 1 with
    their other view and 0 with all else, the loss is ``-(1 - 1/n) + gamma sqrt(n - 1) / n``, which is less in batches
    of more than ``gamma^2 + 1`` rows, 10 with the default. In smaller ones, take a lower gamma.

    With the linear kernel, the biased estimator and standardised projections, HSIC(Z, Y) is tr C, C being the
    cross-correlation of the views, and HSIC(Z, Z) is ``||(C_aa + C_bb) / 2||_F^2``, what Barlow Twins is made of.
    With the linear kernel and scaling "none" the loss has no lower bound for wide projections.

    NOTE[DIFF]: as in the paper, HSIC(Z, Y) is freed of its factor 1 / batch (the scale of the kernel of Y) and a row
    is no positive of its own. The plain estimate ``tr(K H L H) / (2 n)^2`` with one-hot L, here ``(d + tr C) / (2 n)``,
    is ``(mean_i k(z_i, z_i) / 2 + mean_i k(a_i, b_i) / 2 - mean(K)) / n``. For that, the paper subtracts 1 = k(z, z);
    we leave the pairs out, which holds for every kernel.

    NOTE[DIFF]: the authors learn the bandwidth beside the network, by the entropy of the kernel's gradient. They draw
    frequencies anew at each step, those of the inverse multiquadric kernel from a table of their density; here from
    its form as a mean of Gaussian kernels, which is exact. Each has a cosine and a sine instead of a random phase, for
    which k(z, z) is 1 exactly. As in their code, HSIC(Z, Z) is of two independent sets, as the square of one set's
    error would not vanish on average.

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
        """Refuse hyper-parameters out of range, and features for the unbiased estimator.

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
                f"n_features={self.n_features} of SSLHSIC is for estimator='biased'. Got estimator='unbiased', which "
                "needs the exact kernel: n_features=None."
            )
        return self

    def terms(self, z_a, z_b):
        """Invariance and weighted redundancy.

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
        # The root's slope is infinite at 0, and rounding may take what is 0 below it.
        return {"invariance": -dependence, "redundancy": self.gamma * (torch.relu(spread) + EPS).sqrt()}

    def measure(self, z_a, z_b):
        """Estimate HSIC(Z, Y) and HSIC(Z, Z), of projections that are scaled.

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
            return of_features(z, z) if is_biased else unbiased(z @ z.T)
        bandwidth = median_distance(z_a, z_b) if self.bandwidth == "median" else self.bandwidth
        if is_biased and self.n_features is not None:
            w, v = frequencies(self.kernel, z.shape[1], self.n_features, self.random_state)
            return of_features(fourier_features(z, w, bandwidth), fourier_features(z, v, bandwidth))
        K = KERNELS[self.kernel](square_distances(z), bandwidth)
        return biased(K) if is_biased else unbiased(K)
