"""Train many networks of one shape as a stack; each has its own rows, views, learning rate and weights."""

import copy
import math
import time

import torch
from torch.func import functional_call, stack_module_state, vmap

BETAS, ADAM_EPS = (0.9, 0.999), 1e-8  # as in torch.optim.AdamW


class StackedAdamW:
    """AdamW for many networks at once, each with its own learning rate and weight decay.

    One matrix holds all parameters, one row per network. A step then takes a handful of operations for any number of
    parameters and networks.

    Parameters
    ----------
    tensors : dict of str to Tensor of shape (networks, ...)
        Initial parameters.
    decays : Tensor of shape (networks,)
        Weight decay of each network's parameters with more than one axis.

    Attributes
    ----------
    parameters : dict of str to Tensor of shape (networks, ...)
        Leaf tensors that share the memory of the matrix.

    References
    ----------
    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2.
    """

    def __init__(self, tensors, decays):
        self.weights = torch.cat([tensor.detach().flatten(1) for tensor in tensors.values()], dim=1)
        self.parameters, sizes, start = {}, [], 0
        for name, tensor in tensors.items():
            part = self.weights.narrow(1, start, tensor[0].numel()).view(tensor.shape)
            self.parameters[name] = part.detach().requires_grad_()
            sizes.append(part.new_full((tensor[0].numel(),), float(tensor.dim() > 2)))
            start += tensor[0].numel()
        self.decays = decays[:, None] * torch.cat(sizes)  # (networks, numbers)
        self.mean, self.square = torch.zeros_like(self.weights), torch.zeros_like(self.weights)
        self.n_steps = 0

    @torch.no_grad()
    def step(self, rates):
        """Take a step, and drop the gradients.  # rates: (networks,)"""
        self.n_steps += 1
        gradient = torch.cat([p.grad.flatten(1) for p in self.parameters.values()], dim=1)  # (networks, numbers)
        for parameter in self.parameters.values():
            parameter.grad = None
        rates = rates[:, None]
        self.weights.mul_(1 - rates * self.decays)
        self.mean.lerp_(gradient, 1 - BETAS[0])
        self.square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        scale = (self.square.sqrt() / math.sqrt(1 - BETAS[1] ** self.n_steps)).add_(ADAM_EPS)
        self.weights.sub_(self.mean / scale * (rates / (1 - BETAS[0] ** self.n_steps)))


def train_together(trainings, streams, terms, n_epochs):
    """Train runs of one shape as a stack.

    Parameters
    ----------
    trainings : list of Training
        Runs that have not started. They have the same layers, number and size of batches, and precision, and use
        AdamW. The result differs from separate runs by rounding only.
    streams : list of hashable
        Key of each run's rows and random draws. Runs with the same key share their batches and views.
    terms : callable
        ``terms(z_a, z_b, weights) -> dict of Tensors of shape (runs,)``. Their sum is minimised. The weights, of shape
        (runs,), are ``weight_of(projection_dim)`` of each run's objective.
    n_epochs : int
        Epochs of every run.

    Raises
    ------
    ValueError
        If the loss or a weight of a run is not finite.
    """
    plan, nets = trainings[0].plan, [training.net for training in trainings]
    device, autocast = plan.device, plan.autocast
    order = {stream: place for place, stream in enumerate(dict.fromkeys(streams))}
    firsts = [trainings[streams.index(stream)] for stream in order]
    index = torch.tensor([order[stream] for stream in streams], device=device)
    base = copy.deepcopy(nets[0].module_).train()
    tensors, buffers = stack_module_state([net.module_ for net in nets])
    optimizer = StackedAdamW(tensors, torch.tensor([t.plan.weight_decay for t in trainings], device=device))
    weights = None
    project = vmap(lambda parameters, buffers, x: functional_call(base, (parameters, buffers), (x,)))
    iterators = [training.net.get_iterator(training.train, training=True) for training in firsts]
    n_batches = len(iterators[0])
    each = [training.rate_schedule() for training in trainings]
    rates = torch.tensor([[rate(step) for rate in each] for step in range(n_batches * n_epochs)], device=device)

    for epoch in range(n_epochs):
        start, values = time.perf_counter(), []
        for batch, batches in enumerate(zip(*iterators, strict=True)):
            x_a, x_b = stacked_views(firsts, batches, index)
            with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
                z_a, z_b = (project(optimizer.parameters, buffers, x) for x in (x_a, x_b))
            if weights is None:
                weights = torch.tensor([net.objective.weight_of(z_a.shape[2]) for net in nets], device=device)
            named = terms(z_a, z_b, weights)
            loss = sum(named.values())
            loss.sum().backward()
            optimizer.step(rates[epoch * n_batches + batch])
            values.append(torch.stack([loss.detach(), *(term.detach() for term in named.values())]))
        means = torch.stack(values).mean(0).T.tolist()  # the epoch's one wait for the device
        seconds = max(0.0, time.perf_counter() - start)
        for net, rate, row in zip(nets, each, means, strict=True):
            net.history.new_epoch()
            net.history.record("epoch", len(net.history))
            net.record_epoch("train", dict(zip(["loss", *named], row, strict=True)), iterators[0], z_a.shape[2])
            if not math.isfinite(row[0]):
                raise net.diverged(f"The loss became {row[0]}")
            net.history.record("lr", rate((epoch + 1) * n_batches - 1))
            net.history.record("seconds", seconds)
    write_back(nets, {**optimizer.parameters, **buffers})


@torch.no_grad()
def write_back(nets, stack):
    """Write the stacked parameters and buffers into each network, and check that they are finite."""
    for k, net in enumerate(nets):
        for name, tensor in (*net.module_.named_parameters(), *net.module_.named_buffers()):
            tensor.copy_(stack[name][k])
        net.check_weights()


def stacked_views(trainings, batches, index):
    """Make two views of each stream's batch, repeated for the runs that share it.  # 2 x (runs, batch, features)"""
    pairs = [
        training.net.make_views(x, training.train, training.net.generators["views"], None)
        for training, x in zip(trainings, batches, strict=True)
    ]
    both = [torch.stack(views) for views in zip(*pairs, strict=True)]  # 2 x (streams, batch, features)
    return both if len(index) == len(trainings) else [views.index_select(0, index) for views in both]
