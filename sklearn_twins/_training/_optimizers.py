"""Optimizers: by name, LARS, and the choice of the parameters that decay."""

import torch

from ._each_parameter import EachParameter
from ._muon import Muon

NAMES = ("adamw", "lars", "muon", "sgd")
LEARNING_RATES = {"adamw": 5e-3, "lars": 5.0, "muon": 0.04, "sgd": 0.05}


def default_learning_rate(optimizer):
    """Look up the rate for `learning_rate="auto"`."""
    return LEARNING_RATES.get(optimizer, 1e-3) if isinstance(optimizer, str) else 1e-3


def make_optimizer(optimizer, module, learning_rate, weight_decay, device):
    """Build the optimizer of a module's parameters.

    Weight decay spares biases and the scales of normalisation layers (parameters with one axis).

    Parameters
    ----------
    optimizer : {"adamw", "muon", "sgd", "lars"} or callable
        A callable, such as a class of `torch.optim`, is called as ``optimizer(groups, lr=, weight_decay=)``.
    module : nn.Module
        Module to train.
    learning_rate : float
        Learning rate of all parameters.
    weight_decay : float
        Weight decay of the parameters with more than one axis; the others do not decay.
    device : torch.device
        Device of the parameters.

    Returns
    -------
    optimizer : torch.optim.Optimizer

    Raises
    ------
    ValueError
        If the module has no parameter to train.
    TypeError
        If the callable returns something that is not an optimizer.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ValueError("encoder and projector have no weights to train. Use projector='mlp', or another encoder.")
    fused = device.type in ("cpu", "cuda")
    if optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=learning_rate, fused=fused)
    if optimizer == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True, fused=fused)
    if optimizer in ("lars", "muon"):
        return (LARS if optimizer == "lars" else Muon)(groups, lr=learning_rate)
    made = optimizer(groups, lr=learning_rate, weight_decay=weight_decay)
    if not isinstance(made, torch.optim.Optimizer):
        raise TypeError(f"optimizer={optimizer!r} must return a torch.optim.Optimizer. Got {type(made).__name__}.")
    return made


def make_recordable(optimizer, device, dtype):
    """Keep the learning rate on the device, as one tensor for all groups, so that a CUDA graph can read it."""
    rate = torch.tensor(float(optimizer.param_groups[0]["lr"]), dtype=dtype, device=device)
    for group in optimizer.param_groups:
        group["lr"] = rate
        if "capturable" in group:
            group["capturable"] = True


def set_rate(optimizer, rate):
    """Set the learning rate; in place if it is a tensor, without waiting for the GPU."""
    tensors = {
        id(group["lr"]): group["lr"] for group in optimizer.param_groups if isinstance(group["lr"], torch.Tensor)
    }
    for tensor in tensors.values():
        tensor.fill_(rate)
    for group in optimizer.param_groups:
        if not isinstance(group["lr"], torch.Tensor):
            group["lr"] = rate


def undo_recordable(state):
    """Return an optimizer's state without the marks of `make_recordable`: the learning rate is a number again."""
    groups = []
    for group in state["param_groups"]:
        if isinstance(group["lr"], torch.Tensor):
            group = {**group, "lr": float(group["lr"])}
            if "capturable" in group:
                group["capturable"] = False
        groups.append(group)
    return {**state, "param_groups": groups}


class LARS(EachParameter):
    """Momentum SGD with a learning rate that is scaled to the norm of each layer's weights.

    For a parameter with more than one axis, the gradient with weight decay is multiplied by
    ``trust * ||w|| / ||gradient||``. Other parameters take a plain step.

    Parameters
    ----------
    params : iterable
        Parameters or parameter groups.
    lr : float, default=0.2
        Learning rate.
    weight_decay : float, default=0
        Factor of the weights that are added to the gradient.
    momentum : float, default=0.9
        Decay of the accumulated updates.
    trust : float, default=0.001
        Trust coefficient.

    Notes
    -----
    NOTE[DIFF]: the denominator of the ratio is the norm of the sum of gradient and decay; the paper adds their norms.

    References
    ----------
    You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks", arXiv 1708.03888, 2017,
    algorithm 1. As Barlow Twins uses it: Zbontar et al. 2021, section 2.2 (biases and normalisation
    parameters are excluded from decay and adaptation).
    """

    def __init__(self, params, lr=0.2, weight_decay=0.0, momentum=0.9, trust=0.001):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "trust": trust})

    def _update(self, parameter, group):
        update, most = parameter.grad, torch.finfo(parameter.dtype).max  # torch refuses larger factors
        if parameter.dim() > 1:
            update = update.add(parameter, alpha=min(group["weight_decay"], most))
            ratio = group["trust"] * parameter.norm() / update.norm()
            # weights or gradients of norm 0 take a plain step, decided on the device
            update = update * torch.where(torch.isfinite(ratio) & (ratio > 0), ratio, torch.ones_like(ratio))
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(update)
        rate = group["lr"]
        if isinstance(rate, torch.Tensor):  # on the device, see make_recordable
            parameter.addcmul_(buffer, rate, value=-1)
        else:
            parameter.add_(buffer, alpha=-min(rate, most))
