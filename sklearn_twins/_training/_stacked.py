"""Many runs trained as one: networks of one shape, stacked, each with its own rows, views, rates and weights."""

import copy
import math
import time

import torch
from torch.func import functional_call, stack_module_state, vmap

BETAS, ADAM_EPS = (0.9, 0.999), 1e-8  # of torch.optim.AdamW


class StackedAdamW:
    """AdamW of many networks at once, each with its own learning rate and weight decay.

    All numbers of a network are one row of one matrix, so that a step is a handful of operations however many
    parameters and networks there are.

    Parameters
    ----------
    tensors : dict of str to Tensor of shape (networks, ...)
        Initial parameters.
    decays : Tensor of shape (networks,)
        Weight decay of each network's parameters with more than one axis.

    Attributes
    ----------
    parameters : dict of str to Tensor of shape (networks, ...)
        Leaves that share the memory of the matrix.

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
        """Take a step, and forget the gradients.  # rates: (networks,)"""
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
    """Train runs of one shape as one.

    Parameters
    ----------
    trainings : list of Training
        Not run yet. Of networks with the same layers, as many batches of the same size, AdamW and the same precision.
        They end as if each had been run by itself, but for rounding.
    streams : list of hashable
        For each run, what its batches and views follow from: runs that share one share the work.
    terms : callable
        ``terms(z_a, z_b, weights) -> dict of Tensors of shape (runs,)``, whose sum is minimised; the weights, of shape
        (runs,), are what ``weight_of(projection_dim)`` of each run's objective says.
    n_epochs : int
        Of every run.

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
        seconds = time.perf_counter() - start
        for net, rate, row in zip(nets, each, means, strict=True):
            record(net, dict(zip(["loss", *named], row, strict=True)), z_a.shape[2], iterators[0])
            net.history.record("lr", rate((epoch + 1) * n_batches - 1))
            net.history.record("seconds", seconds)
    write_back(nets, {**optimizer.parameters, **buffers})


@torch.no_grad()
def write_back(nets, stacks):
    """Give each network its row of the stacked parameters and buffers, and refuse those that are not finite."""
    for k, net in enumerate(nets):
        for name, tensor in (*net.module_.named_parameters(), *net.module_.named_buffers()):
            tensor.copy_(stacks[name][k])
        net.check_weights()


def stacked_views(trainings, batches, index):
    """Two views of each stream's batch, repeated for the runs that share it.  # 2 x (runs, batch, features)"""
    pairs = [
        training.net.make_views(x, training.train, training.net.generators["views"])
        for training, x in zip(trainings, batches, strict=True)
    ]
    both = [torch.stack(views) for views in zip(*pairs, strict=True)]  # 2 x (streams, batch, features)
    return both if len(index) == len(trainings) else [views.index_select(0, index) for views in both]


def record(net, means, projection_dim, iterator):
    """A row of an epoch in a run's history, as its own loop would have written it."""
    net.history.new_epoch()
    net.history.record("epoch", len(net.history))
    for name, mean in means.items():
        net.history.record(f"train_{name}", mean)
        if name == "redundancy" and hasattr(net.objective, "noise_floor"):
            floor = net.objective.noise_floor(iterator.size, projection_dim)
            net.history.record("train_excess_redundancy", mean - floor)
    net.history.record("train_batch_count", len(iterator))
    net.history.record("train_rows", len(iterator) * iterator.size)
    if not math.isfinite(means["loss"]):
        raise net.diverged(f"The loss became {means['loss']}")
