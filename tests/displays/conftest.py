"""Displays are drawn without a screen, and no figure is left open."""

import pytest


@pytest.fixture(autouse=True)
def without_a_screen():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    yield
    plt.close("all")
