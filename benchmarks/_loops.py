"""Training loops to compare with: the bare step (the limit), and the loops that users write or use."""

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn
from torch.utils.data import DataLoader, Dataset

PROJECTION = 256


def mlp(n_columns, hidden_dims):
    """Build the embedder's default encoder and projector for tables."""
    layers, width = [], n_columns
    for dim in (*hidden_dims, 256):
        layers += [nn.Linear(width, dim, bias=False), nn.BatchNorm1d(dim), nn.ReLU()]
        width = dim
    return nn.Sequential(*layers, nn.Linear(width, PROJECTION))


def convnet(n_channels, widths=(32, 64, 128, 256)):
    """Build the embedder's default encoder and projector for images."""
    layers, width = [], n_channels
    for dim in widths:
        layers += [nn.Conv2d(width, dim, 3, 2, 1, bias=False), nn.BatchNorm2d(dim), nn.ReLU(inplace=True)]
        width = dim
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    layers += [nn.Linear(width, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, PROJECTION)]
    return nn.Sequential(*layers)


def standardized(z):
    """Standardise each coordinate over the batch."""
    return (z - z.mean(0)) / (z.var(0, correction=0) + 1e-5).sqrt()


def barlow_twins(z_a, z_b):
    """Compute the Barlow Twins objective in plain torch."""
    C = standardized(z_a.float()).T @ standardized(z_b.float()) / len(z_a)
    diagonal = C.diagonal()
    return (1 - diagonal).square().sum() + (C.square().sum() - diagonal.square().sum()) / PROJECTION


def bare_step(net, x_a, x_b, autocast=None):
    """Return a function that takes one step of the limit: the network's arithmetic on views made beforehand."""
    on_gpu = x_a.device.type == "cuda"
    optimizer = torch.optim.AdamW(net.parameters(), fused=True, capturable=on_gpu)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(x_a.device.type, dtype=autocast, enabled=autocast is not None):
            z_a, z_b = net(x_a), net(x_b)
        barlow_twins(z_a, z_b).backward()
        optimizer.step()

    return step


def captured(step, n_warm=3):
    """Return a function that replays a step as a CUDA graph, following torch's notes on whole-network capture."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(n_warm):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=side):
        step()
    return graph.replay


class TwoViews(Dataset):
    """A dataset of single rows: two views of each, with values of other rows."""

    def __init__(self, X, rate=0.3):
        self.X, self.rate = torch.from_numpy(X), rate

    def __len__(self):
        return len(self.X)

    def view(self, x):
        donors = torch.randint(len(self.X), x.shape)
        return torch.where(torch.rand(x.shape) < self.rate, self.X[donors, torch.arange(len(x))], x)

    def __getitem__(self, i):
        x = self.X[i]
        return self.view(x), self.view(x)


def loader_epoch(net, X, batch):
    """Return a function that trains for one epoch with a loader and reads the loss in each step."""
    loader = DataLoader(TwoViews(X), batch, shuffle=True, drop_last=True)
    optimizer = torch.optim.AdamW(net.parameters())

    def epoch():
        total = 0.0  # as a progress bar would show
        for x_a, x_b in loader:
            loss = barlow_twins(net(x_a), net(x_b))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()

    return epoch


class Pairs(TwoViews):
    """The same dataset for skorch: inputs and an unused target."""

    def __getitem__(self, i):
        return torch.stack(super().__getitem__(i)), 0


class TwoPasses(nn.Module):
    """Pass both views through one network."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x[:, 0]), self.net(x[:, 1])


class OwnLoss(nn.Module):
    """The objective as a skorch criterion."""

    def forward(self, projections, y):
        return barlow_twins(*projections)


def skorch_learner(net, batch, device):
    """Return a skorch net with its default loop."""
    return NeuralNet(
        TwoPasses(net),
        OwnLoss,
        optimizer=torch.optim.AdamW,
        batch_size=batch,
        max_epochs=1,
        train_split=None,
        iterator_train__shuffle=True,
        iterator_train__drop_last=True,
        verbose=0,
        device=device,
    ).initialize()


def skorch_epoch(net, X, batch, device="cpu"):
    """Return a function that trains for one epoch with skorch and its own loader."""
    learner, pairs = skorch_learner(net, batch, device), Pairs(X)
    return lambda: learner.partial_fit(pairs)


def skorch_resident_epoch(net, X, batch, device):
    """Return a function that trains for one epoch with skorch's steps, on rows and views on the device."""
    learner, data = skorch_learner(net, batch, device), torch.from_numpy(X).to(device)
    columns = torch.arange(data.shape[1], device=device)

    def view(x, rate=0.3):
        donors = torch.randint(len(data), x.shape, device=device)
        return torch.where(torch.rand(x.shape, device=device) < rate, data[donors, columns], x)

    def epoch():
        order = torch.randperm(len(data), device=device)
        for rows in order[: len(data) // batch * batch].split(batch):
            x = data[rows]
            learner.train_step((torch.stack([view(x), view(x)], 1), 0))["loss"].item()  # skorch records it

    return epoch


def repeated(step, n_steps):
    """Return a function that takes `n_steps` steps."""

    def run():
        for _ in range(n_steps):
            step()

    return run


def cut(n, batch):
    """Return the number of steps in an epoch and the rows per step, as in a fit."""
    n_steps = -(-n // batch)
    return n_steps, n // n_steps


def alternate(variants, rounds, clock):
    """Measure the seconds of each variant in each round; the order is reversed each time.

    Parameters
    ----------
    variants : dict of str to callable
        Functions that return their own seconds, or None to be timed.
    rounds : int
        Number of rounds.
    clock : callable
        Returns the time in seconds.

    Returns
    -------
    seconds : dict of str to ndarray of shape (rounds,)
    """
    seconds = {name: [] for name in variants}
    for turn in range(rounds):
        for name in list(variants)[:: 1 if turn % 2 == 0 else -1]:
            start = clock()
            own = variants[name]()
            seconds[name].append(own if isinstance(own, float) else clock() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def ratio(of, to):
    """Format the median and quartiles of the ratio, computed round by round."""
    low, middle, high = np.percentile(np.divide(of, to), [25, 50, 75])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"
