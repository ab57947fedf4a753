"""What a test starts: the fits below in processes that train together; and the same fits by one process."""

import sys
import warnings
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import torch
from ranks import exit_code, start_ranks
from sklearn.datasets import load_digits
from torch import distributed, nn

from sklearn_twins import BarlowTwinsClassifier, BarlowTwinsEmbedder
from sklearn_twins._runtime._seeds import Stream, choose_seed, make_generator
from sklearn_twins._training._distributed import ONE_PROCESS, init_process_group
from sklearn_twins.augmentations import Identity, MarginalCorruption, Pair
from sklearn_twins.networks import AudioNTTEncoder, ConvNetEncoder, MLPEncoder, MLPProjector, SeriesResNetEncoder
from sklearn_twins.objectives import HSIC, InfoNCE, MixedBarlowTwins
from sklearn_twins.preprocessing import AudioPreprocessor

N_RANKS, N_RANKS_OF_STEPS = 2, 3
rng = np.random.default_rng(0)
TABLE = rng.normal(size=(64, 3)) @ rng.normal(size=(3, 5)) + rng.normal(size=(64, 5))
IMAGES = load_digits().images[:64] / 16
SERIES = np.where(np.arange(20) < rng.integers(5, 21, size=(64, 1)), rng.normal(size=(64, 20)).cumsum(1), np.nan)
CLIPS = [rng.normal(size=n) * np.sin(np.arange(n) / 200) for n in rng.integers(600, 1_500, size=64)]
SMALL = {
    "encoder": MLPEncoder(hidden_dims=(16,)),
    "projector": MLPProjector(hidden_dims=(12,), projection_dim=8),
    "max_epochs": 4,
    "batch_size": 16,
    "random_state": 0,
}


def shrunk(x, data, generator):
    """A view without a draw."""
    return 0.9 * x + 0.1 * x.roll(1, 1)


def as_it_is(x, data, generator):
    """Another one."""
    return x + 0.05 * torch.sin(7 * x)


def waved(x, data, generator):
    """One of series with a mark of the steps that are there."""
    return torch.cat([x[:, :-1] + 0.1 * torch.sin(3 * x[:, :-1]), x[:, -1:]], dim=1)


def foreign_network():
    """A module with weights of its own."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8, affine=False, momentum=None), nn.Tanh())


FITS = {
    "barlow_twins": {},
    "hsic": {"objective": "hsic"},
    "vicreg": {"objective": "vicreg"},
    "info_nce": {"objective": "info_nce"},
    "ssl_hsic": {"objective": "ssl_hsic"},
    "mixed_barlow_twins": {"objective": "mixed_barlow_twins"},
    "callable": {"objective": lambda z_a, z_b: (z_a - z_b).square().mean() - z_a.std(0).clamp(max=1).mean()},
    # A bias that the objective does not feel has a gradient of rounding errors, of which AdamW makes steps as of any.
    "resnet": {"encoder": "resnet", "n_components": 8, "optimizer": "sgd", "learning_rate": 0.01},
    "images": {"modality": "image", "encoder": ConvNetEncoder(widths=(4, 8)), "n_components": 8, "optimizer": "sgd"},
    "series": {
        "modality": "series",
        "encoder": SeriesResNetEncoder(widths=(4, 8)),
        "n_components": 8,
        "optimizer": "sgd",
        "learning_rate": 0.002,
    },
    "audio": {
        "modality": "audio",
        "preprocessor": AudioPreprocessor(8_000, input_rate=8_000, n_mels=16, crop=0.2),  # no clip is cut
        "encoder": AudioNTTEncoder(4, 12),
        "n_components": 8,
        "optimizer": "sgd",
        "learning_rate": 0.002,
    },
    "host": {"storage": "host"},
    "bfloat16": {"precision": "bfloat16"},
    "early_stopping": {"early_stopping": True, "validation_fraction": 0.25, "n_iter_no_change": 2},
    "foreign": {
        "encoder": foreign_network(),
        "projector": "identity",
        "optimizer": "sgd",
    },
}
BASES = {
    "audio": Pair(shrunk, as_it_is),
    "images": Pair(shrunk, as_it_is),
    "series": Pair(Identity(), waved),
    "early_stopping": Pair(shrunk, as_it_is),
}


class Drawn:
    """Makes one process draw as several do: for each part of a batch by a generator of its own."""

    def __init__(self, seed):
        seed = choose_seed(seed)
        self.others = [make_generator(seed, Stream.VIEWS, rank=rank) for rank in range(1, N_RANKS)]

    def parts(self, generator, *tensors):
        chunks = (tensor.chunk(N_RANKS) for tensor in tensors)
        return zip([generator, *self.others], *chunks, strict=True)


class ByRank(MarginalCorruption):
    """Corruption, drawn as several processes draw."""

    def __init__(self, base, drawn):
        self.base, self.drawn = base, drawn

    def __sklearn_clone__(self):
        return self

    def check(self):
        return self

    def bind(self, spec, device):
        self.bound = self.base.bind(spec, device)
        return self

    def __call__(self, x, data, generator):
        return torch.cat([self.bound(part, data, g) for g, part in self.drawn.parts(generator, x)])


class MixedByRank(MixedBarlowTwins):
    """Mixed rows, drawn as several processes draw."""

    def __sklearn_clone__(self):
        return self

    def mix(self, x_a, x_b, spec, generator):
        mixed, shares, partners = [], [], []
        for g, a, b in self.drawn.parts(generator, x_a, x_b):
            x_m, (share, partner) = super().mix(a, b, spec, g)
            partners.append(partner + len(mixed) * len(a))
            mixed.append(x_m)
            shares.append(share)
        return torch.cat(mixed), (torch.cat(shares), torch.cat(partners))


def fitted(name, by_one):
    """One of the fits; `by_one` process, or by several."""
    params = {**SMALL, "augmentation": BASES.get(name, MarginalCorruption()), **FITS[name]}
    if by_one and not isinstance(params["augmentation"], Pair):
        drawn = Drawn(params["random_state"])
        params["augmentation"] = ByRank(params["augmentation"], drawn)
        if params.get("objective") == "mixed_barlow_twins":
            params["objective"] = MixedByRank()
            params["objective"].drawn = drawn
    X = {"audio": CLIPS, "images": IMAGES, "series": SERIES}.get(name, TABLE)
    embedder = BarlowTwinsEmbedder(**params).fit(X)
    return {"history": embedder.history_, "embedding": embedder.transform(X), "encoder": numbers_of(embedder)}


LABELS = np.where(np.arange(64) < 20, np.arange(64) % 3, -1)


def classified(by_one, labels=LABELS, **params):
    """A classifier, by one process or by several."""
    augmentation = ByRank(MarginalCorruption(), Drawn(0)) if by_one else MarginalCorruption()
    embedder = BarlowTwinsEmbedder(**{**SMALL, "augmentation": augmentation})
    classifier = BarlowTwinsClassifier(embedder, max_epochs=4, random_state=0, **params).fit(TABLE, labels)
    return {
        "history": classifier.history_,
        "embedding": classifier.label_distributions_,
        "encoder": {"coef": classifier.head_coef_, **numbers_of(classifier.embedder_)},
    }


def numbers_of(embedder):
    """Weights and statistics of an encoder."""
    return {name: tensor.numpy() for name, tensor in embedder.encoder_.state_dict().items()}


def refusal_of(X, **params):
    """What is said of a fit that cannot be."""
    return refused(lambda: BarlowTwinsEmbedder(**{**SMALL, **params}).fit(X))


def refused(fit):
    """What an error of a fit says."""
    try:
        fit()
    except ValueError as error:
        return str(error)


def continued(rank):
    """Fits that go on: a warm start and a stream; and one whose seed differs."""
    legacy = np.random.RandomState(rank)
    warm = BarlowTwinsEmbedder(**{**SMALL, "max_epochs": 2, "warm_start": True}).fit(TABLE)
    stream = BarlowTwinsEmbedder(**SMALL).partial_fit(TABLE).partial_fit(TABLE)
    anyhow = BarlowTwinsEmbedder(**{**SMALL, "random_state": legacy}).fit(TABLE)
    uneven = BarlowTwinsEmbedder(**{**SMALL, "batch_size": 13}).fit(TABLE[:61])
    warm.set_params(max_epochs=4).fit(TABLE)
    return {
        name: numbers_of(e) for name, e in {"warm": warm, "stream": stream, "any": anyhow, "uneven": uneven}.items()
    }


def small_network():
    torch.manual_seed(0)
    layers = nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 4), nn.BatchNorm1d(4, affine=False)
    return nn.Sequential(*layers).double()


def images_network():
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3, momentum=None), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4)
    return nn.Sequential(*layers).double()


CASES = {
    "table": (small_network, (5,), HSIC()),
    "images": (images_network, (1, 5, 5), InfoNCE()),
    "callable": (small_network, (5,), lambda z_a, z_b: ((z_a.T @ z_b).tanh() ** 3).sum()),
}


def steps_of(name, n_ranks, ranks=ONE_PROCESS):
    """Loss, gradients and statistics after a step of 12 rows, of this rank's share of them."""
    build, shape, objective = CASES[name]
    module, generator = build(), torch.Generator().manual_seed(1)
    views = torch.randn(2, 12, *shape, generator=generator, dtype=torch.float64) * 3 + 50
    own = slice(None) if ranks is ONE_PROCESS else slice(12 // n_ranks * ranks.rank, 12 // n_ranks * (ranks.rank + 1))
    with ranks.synchronize_batch_norm():
        z_a, z_b = (module(view[own]) for view in views)
    loss = objective(ranks.gather(z_a), ranks.gather(z_b))
    loss.backward()
    ranks.sum_gradients(module)
    gradients = {name: p.grad.numpy() for name, p in module.named_parameters()}
    return loss.item(), gradients, {name: b.numpy() for name, b in module.named_buffers()}


def fit_all():
    """All fits, by processes that have no process group yet."""
    seen = {"fits": {name: fitted(name, by_one=False) for name in FITS}}
    seen["fits"]["classifier"] = classified(by_one=False)
    rank = distributed.get_rank()
    BarlowTwinsEmbedder(**{**SMALL, "verbose": 1}).fit(TABLE)
    seen["continued"] = continued(rank)
    seen["other rows"] = refusal_of(TABLE[: 60 + rank])
    seen["other labels"] = refused(lambda: classified(False, np.where(np.arange(64) == 5, rank, LABELS)))
    seen["other values"] = refusal_of(TABLE[:: 1 - 2 * rank])
    return seen


def step_all():
    """A step of each network, by processes whose caller has made the group."""
    distributed.init_process_group("gloo")
    ranks = init_process_group(torch.device("cpu"))
    seen = {name: steps_of(name, ranks.size, ranks) for name in CASES}
    seen["checkpoint"] = refusal_of(TABLE, checkpoint="nowhere")
    seen["small batches"] = refusal_of(TABLE[:4], batch_size=2)
    ranks.channel.close()
    distributed.destroy_process_group()
    return ranks.rank, ranks.size, seen


def write(see, place, rank):
    """Write down what a process saw."""
    joblib.dump(see(), place / f"{see.__name__}-{rank}.pkl")


if __name__ == "__main__":
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", ".*multi-threaded.*fork", DeprecationWarning)  # from Python 3.12 on
    torch.set_num_threads(1)
    for see, n_ranks in ((fit_all, N_RANKS), (step_all, N_RANKS_OF_STEPS)):
        codes = [exit_code(child) for child in start_ranks(n_ranks, partial(write, see, Path(sys.argv[1])))]
        assert codes == [0] * n_ranks
