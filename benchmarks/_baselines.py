"""Features that the embedder is compared with: raw columns, an untrained encoder, an autoencoder."""

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder


def one_hot(X, categorical):
    """Encode a table as users do for networks: one-hot categories (at most 256), imputed and scaled numbers."""
    codes = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=256, sparse_output=False)
    scaled = make_pipeline(SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler())
    numbers = [name for name in X if name not in categorical]
    return make_column_transformer((codes, categorical), (scaled, numbers))


class RandomEncoder(TransformerMixin, BaseEstimator):
    """An untrained embedder: negligibly small steps only set the statistics of its batch norm."""

    def __init__(self, embedder):
        self.embedder = embedder

    def fit(self, X, y=None):
        tiny = {"max_epochs": 1, "learning_rate": 1e-12, "weight_decay": 0.0}
        rows = X[: 20 * self.embedder.batch_size]
        self.embedder_ = BarlowTwinsEmbedder(**{**self.embedder.get_params(deep=False), **tiny}).fit(rows)
        return self

    def transform(self, X):
        return self.embedder_.transform(X)


class DenoisingAutoencoder(TransformerMixin, BaseEstimator):
    """A denoising autoencoder whose encoder has the embedder's shape.

    It reconstructs rows in which values were replaced by other rows' values, with as many steps as the default embedder
    and the same corruption. X holds numbers, including one-hot codes.
    """

    def __init__(self, width=256, n_hidden=3, rate=0.3, n_steps=1_000, batch_size=256, random_state=0):
        self.width = width
        self.n_hidden = n_hidden
        self.rate = rate
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.random_state = random_state

    def layers(self, width_in):
        built = []
        for _ in range(self.n_hidden):
            built += [nn.Linear(width_in, self.width, bias=False), nn.BatchNorm1d(self.width), nn.ReLU()]
            width_in = self.width
        return built

    def fit(self, X, y=None):
        X = torch.from_numpy(np.ascontiguousarray(X, dtype=np.float32))
        n, d = X.shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.encoder_ = nn.Sequential(*self.layers(d))
            net = nn.Sequential(self.encoder_, *self.layers(self.width)[:3], nn.Linear(self.width, d))
            optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, fused=True)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, self.n_steps)
            for _ in range(self.n_steps):
                x = X[torch.randint(n, (min(self.batch_size, n),))]
                changed = torch.where(torch.rand(x.shape) < self.rate, X.gather(0, torch.randint(n, x.shape)), x)
                loss = (net(changed) - x).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        self.encoder_.eval()
        return self

    def transform(self, X):
        with torch.inference_mode():
            return self.encoder_(torch.from_numpy(np.ascontiguousarray(X, dtype=np.float32))).numpy()
