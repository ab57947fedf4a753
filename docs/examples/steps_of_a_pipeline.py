"""
A step among others
===================

:class:`~sklearn_twins.BarlowTwinsEmbedder` is a transformer like scikit-learn's own: a frame goes in and, if you
like, a frame comes out; it stands in a ``ColumnTransformer`` or a ``FeatureUnion``; and it is kept in a file.
"""

# %%
# A frame in, a frame out
# -----------------------
#
# scikit-learn's table of wines, with one of its columns as words and a few gaps. Nothing has to be encoded, scaled or
# filled in before.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_twins import BarlowTwinsEmbedder

EPOCHS = 100

numbers, y = load_wine(return_X_y=True, as_frame=True)
color = pd.cut(numbers["color_intensity"], [0, 4, 6, 99], labels=["pale", "medium", "deep"])
X = numbers.assign(color_intensity=color)
X.loc[::10, "magnesium"] = np.nan

embedder = BarlowTwinsEmbedder(n_components=6, max_epochs=EPOCHS, random_state=0)
embedder.set_output(transform="pandas")
embedding = embedder.fit_transform(X)
embedding.head(3).round(2).T

# %%
# What is in it?
# --------------
#
# A coordinate has no name but a number. How far it goes along with the columns can be seen, by rank correlations:

both = pd.concat([numbers, embedding], axis=1).corr("spearman")
correlations = both.loc[numbers.columns, embedding.columns]
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
image = ax.imshow(correlations, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
ax.set_yticks(range(len(correlations)), correlations.index)
ax.set_xticks(range(len(correlations.columns)), range(len(correlations.columns)))
ax.set(xlabel="coordinate of the embedding")
figure.colorbar(image, ax=ax, label="rank correlation")

# %%
# Beside other steps
# ------------------
#
# In a ``ColumnTransformer`` it is given some of the columns, the others go another way:

chemistry = list(X.columns[:9])
columns = make_column_transformer(
    (embedder, chemistry),
    (OneHotEncoder(), ["color_intensity"]),
    (StandardScaler(), ["hue"]),
)
by_column = make_pipeline(columns, LogisticRegression(max_iter=1000))
by_column

# %%
# In a ``FeatureUnion`` it stands beside another transformer of the same columns:

classifier = LogisticRegression(max_iter=1000)
union = make_pipeline(StandardScaler(), make_union(embedder, PCA(3)), classifier)
plain = make_pipeline(StandardScaler(), classifier)
print(f"by column  {cross_val_score(by_column, X, y, cv=3).mean():.3f}")
print(f"union      {cross_val_score(union, numbers, y, cv=3).mean():.3f}")
print(f"without    {cross_val_score(plain, numbers, y, cv=3).mean():.3f}")

# %%
# On a table of 178 rows, all of them labelled, nothing is gained by it; this page is about how the parts fit
# together.

# %%
# Keep it
# -------
#
# ``save`` and ``load`` need nothing else, and loading runs no code from the file. The output is the same to the bit.

path = Path(tempfile.mkdtemp()) / "wines.safetensors"
embedder.save(path)
loaded = BarlowTwinsEmbedder.load(path)
print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
print(f"the same output: {embedding.equals(loaded.transform(X))}")
