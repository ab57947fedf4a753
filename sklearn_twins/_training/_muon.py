"""Muon: momentum whose step for each weight matrix is made orthogonal."""

import torch

from ._each_parameter import EachParameter

MOMENTUM = 0.95  # of matrices
BETAS, EPS = (0.9, 0.999), 1e-8  # of parameters with one axis, which take steps of Adam
VECTOR_RATE = 0.25  # their rate, relative to that of matrices
COEFFICIENTS, N_ITERATIONS = (3.4445, -4.7750, 2.0315), 5  # of the Newton-Schulz iteration


class Muon(EachParameter):
    """Momentum SGD whose step for each weight matrix is replaced by the orthogonal matrix nearest to it.

    A step changes all directions of a matrix by as much, however small their gradients are. Kernels of convolutions are
    flattened to matrices, one row for each output channel. Parameters with one axis take steps of Adam, at a quarter of
    the rate and without weight decay.

    Parameters
    ----------
    params : iterable
        Parameters or parameter groups.
    lr : float, default=0.04
        Learning rate of matrices.
    weight_decay : float, default=0
        Decoupled weight decay of matrices.

    Notes
    -----
    NOTE[DIFF]: the iteration runs in float32 on a CPU, where bfloat16 is slow without matrix units, and in bfloat16 on
    a GPU, as published. The step of a matrix that is taller than wide grows with the root of the ratio, as in the
    published code.

    References
    ----------
    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
    https://kellerjordan.github.io/posts/muon
    """

    def __init__(self, params, lr=0.04, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    def _update(self, parameter, group):
        if parameter.dim() > 1:
            self._step_matrix(parameter, self.state[parameter], group["lr"], group["weight_decay"])
        else:
            self._step_vector(parameter, self.state[parameter], group["lr"])

    def _step_matrix(self, parameter, state, rate, weight_decay):
        gradient = parameter.grad
        if not state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        buffer = state["momentum_buffer"].lerp_(gradient, 1 - MOMENTUM)
        matrix = gradient.lerp(buffer, MOMENTUM).flatten(1)  # with Nesterov's look ahead
        size = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
        parameter.mul_(1 - rate * weight_decay)
        parameter.sub_(orthogonalize(matrix).view_as(parameter) * (rate * size))

    def _step_vector(self, parameter, state, rate):
        gradient = parameter.grad
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
        n = state["step"].add_(1)
        mean = state["exp_avg"].lerp_(gradient, 1 - BETAS[0]) / (1 - BETAS[0] ** n)
        square = state["exp_avg_sq"].lerp_(gradient.square(), 1 - BETAS[1]) / (1 - BETAS[1] ** n)
        parameter.sub_(mean / (square.sqrt() + EPS) * (rate * VECTOR_RATE))


def orthogonalize(matrix):
    """Bring all singular values of a matrix near 1 (0.7 to 1.2) by a Newton-Schulz iteration.

    Parameters
    ----------
    matrix : Tensor of shape (n, m)
        A matrix of zeros stays one.

    Returns
    -------
    orthogonal : Tensor of shape (n, m)
    """
    dtype = torch.bfloat16 if matrix.is_cuda else matrix.dtype
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = (wide / (wide.norm() + 1e-7)).to(dtype)
    a, b, c = COEFFICIENTS
    for _ in range(N_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x if wide is matrix else x.T).to(matrix.dtype)
