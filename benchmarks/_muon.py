"""Muon: momentum SGD whose step for each matrix is made orthogonal, for `optimizer=` of an embedder."""

import torch

MOMENTUM, BETA, DECAY = 0.95, 0.9, 0.999  # of matrices; of the two averages of other parameters
VECTOR_RATE = 0.25  # rate of parameters with one axis, which take steps of Adam, relative to that of matrices
COEFFICIENTS = 3.4445, -4.7750, 2.0315


class Muon(torch.optim.Optimizer):
    """Muon for parameters with several axes, flattened to matrices (out, in); Adam for those with one.

    References
    ----------
    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, https://kellerjordan.github.io/posts/muon
    """

    def __init__(self, params, lr, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        """Take a step; return the closure's loss."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    update = self.step_matrix if parameter.dim() > 1 else self.step_vector
                    update(parameter, self.state[parameter], group)
        return loss

    def step_matrix(self, parameter, state, group):
        """Step along the orthogonal matrix that is next to the averaged gradient."""
        gradient = parameter.grad
        average = state.setdefault("average", torch.zeros_like(gradient)).lerp_(gradient, 1 - MOMENTUM)
        matrix = gradient.lerp(average, MOMENTUM).flatten(1)  # Nesterov's look ahead
        size = max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(orthogonalize(matrix).reshape(parameter.shape), alpha=-group["lr"] * size)

    def step_vector(self, parameter, state, group):
        """Take a step of Adam."""
        gradient = parameter.grad
        state["n"] = state.get("n", 0) + 1
        mean = state.setdefault("mean", torch.zeros_like(gradient)).lerp_(gradient, 1 - BETA)
        square = state.setdefault("square", torch.zeros_like(gradient)).lerp_(gradient.square(), 1 - DECAY)
        root = (square / (1 - DECAY ** state["n"])).sqrt() + 1e-8
        parameter.addcdiv_(mean / (1 - BETA ** state["n"]), root, value=-group["lr"] * VECTOR_RATE)


def orthogonalize(matrix):
    """Bring all singular values near 1, by five Newton-Schulz steps in bfloat16.  # (n, m) -> (n, m)"""
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = (x / (x.norm() + 1e-7)).bfloat16()
    a, b, c = COEFFICIENTS
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return (x if matrix.shape[0] <= matrix.shape[1] else x.T).float()
