"""Fold batch norm of a trained encoder into the layers next to it, for inference."""

import weakref

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from .._parts._encoder import BLOCK, STEM

# These layers have outputs of two or four axes, never of three. With three, a BatchNorm1d would normalise the second
# axis, which is not the one that a Linear before it makes.
PLAIN = (nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Flatten)
LAYERS = (nn.Conv2d, nn.BatchNorm2d, BLOCK, *PLAIN)
# Products with fewer outputs round by a row's place in the batch (MKL, if inputs are no multiple of 4; found by trial).
MIN_OUTPUTS = 12
OVERWRITABLE = (nn.Linear, nn.BatchNorm1d, nn.Conv2d, nn.BatchNorm2d)  # their output is a new tensor

# encoder -> (versions of its weights, folded network). Without a cache `transform` of one row of a table would be 30 to
# 39 % slower (2.7 instead of 1.9 ms of CPU time, median of 200 alternating calls). The cache is here and not on the
# encoder, so that pickles, copies and hashes do not contain it.
_cache = weakref.WeakKeyDictionary()


def fold_batch_norm(encoder):
    """Return a network without most of an encoder's batch norms and with the same output up to rounding.

    It is made again if the encoder has changed. Threads may call this at once: all of them make the same network.

    Parameters
    ----------
    encoder : nn.Module
        On any device. It is not changed.

    Returns
    -------
    network : nn.Module
        For inference only. It is the encoder itself if that is not one of the package's own, is not in eval mode, has
        hooks, or has a `forward` that was set on an instance.
    """
    if not is_foldable(encoder):
        return encoder
    versions = weight_versions(encoder)
    cached, network = _cache.get(encoder, (None, None))
    if versions is None or versions != cached:
        with torch.inference_mode(False), torch.no_grad():
            network = fold_layers(encoder)
        _cache[encoder] = versions, network
    return network


def folding_kind(layer):
    """Kind of a layer: its type, or what its class itself declares by `folds_as`; subclasses may do anything."""
    return vars(type(layer)).get("folds_as", type(layer))


def is_foldable(encoder):
    """Whether an encoder is a stem and known layers of ours in a row, in eval mode, with nothing attached to them."""
    if type(encoder) is not nn.Sequential or not len(encoder) or folding_kind(encoder[0]) != STEM:
        return False
    layers = list(encoder)[1:]
    if not all(folding_kind(layer) in LAYERS for layer in layers):
        return False
    if any(type(layer) is nn.Flatten and (layer.start_dim, layer.end_dim) != (1, -1) for layer in layers):
        return False
    return not any(
        layer.training or layer._forward_hooks or layer._forward_pre_hooks or "forward" in vars(layer)
        for layer in encoder.modules()
    )


def weight_versions(encoder):
    """List each tensor's address and torch's count of the changes made to it in place.

    None if changes cannot be seen: torch does not count them for tensors made in its inference mode. It never counts
    changes made in place through ``.data``.
    """
    versions = []
    for layer in encoder.modules():
        for tensor in (*layer._parameters.values(), *layer._buffers.values()):
            if tensor is not None:
                if tensor.is_inference():
                    return None
                versions.append((tensor.data_ptr(), tensor._version))
    return versions


def fold_layers(layers):
    """Fold a Linear or convolution and the norm behind it into one layer; likewise a norm and the Linear behind it.

    A norm before a convolution stays: the zeros that pad an image come behind the norm and are not shifted by it. ReLU
    overwrites its input if no other layer needs it. Layers without batch norm are shared with the encoder.
    """
    kept = []
    for layer in layers:
        last = kept[-1] if kept else None
        if type(layer) is nn.BatchNorm1d and type(last) is nn.Linear and has_statistics(layer):
            kept[-1] = fuse_linear_bn_eval(last, layer)
        elif folding_kind(layer) is nn.BatchNorm2d and folding_kind(last) is nn.Conv2d and has_statistics(layer):
            kept[-1] = fuse_conv_bn_eval(last, layer)
        elif type(layer) is nn.Linear and type(last) is nn.BatchNorm1d and has_statistics(last):
            kept[-1] = fuse_bn_linear(last, layer)
        elif type(layer) is nn.ReLU and folding_kind(last) in OVERWRITABLE:
            kept.append(nn.ReLU(inplace=True))
        else:
            kept.append(fold_block(layer))
    return FoldedSequential(*(NarrowLinear(layer) if is_narrow(layer) else layer for layer in kept)).eval()


def fold_block(layer):
    """Fold the branches of a residual block; return any other layer as it is."""
    if folding_kind(layer) != BLOCK:
        return layer
    folded = type(layer).__new__(type(layer))
    nn.Module.__init__(folded)
    for name, part in layer.named_children():
        setattr(folded, name, fold_layers(part) if type(part) is nn.Sequential else part)
    return folded.eval()


def is_narrow(layer):
    """Whether a layer is a Linear with so few outputs that a row's place in the batch would matter."""
    return type(layer) is nn.Linear and layer.out_features < MIN_OUTPUTS


def has_statistics(norm):
    """Whether a norm is a fixed affine map in eval mode."""
    return norm.affine and norm.running_mean is not None and norm.running_var is not None


def fuse_bn_linear(norm, linear):
    """Fold a batch norm in eval mode into the linear layer behind it.

    Shape
    -----
    (batch, in_features) -> (batch, out_features)
    """
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)  # (in_features,)
    shift = norm.bias - norm.running_mean * scale
    fused = nn.Linear(linear.in_features, linear.out_features, device="meta").eval()
    bias = (linear.weight * shift).sum(1)
    fused.weight = nn.Parameter(linear.weight * scale, requires_grad=False)
    fused.bias = nn.Parameter(bias if linear.bias is None else bias + linear.bias, requires_grad=False)
    return fused


class FoldedSequential(nn.Sequential):
    """Layers in a row, called without torch's look for hooks, which takes 5 % of a small network's time."""

    def forward(self, x):
        for layer in self._modules.values():
            x = layer.forward(x)
        return x


class NarrowLinear(nn.Module):
    """A linear layer that computes `MIN_OUTPUTS` outputs and drops those beyond its own.

    Shape
    -----
    (batch, in_features) -> (batch, out_features)
    """

    def __init__(self, linear):
        super().__init__()
        self.out_features, n_added = linear.out_features, MIN_OUTPUTS - linear.out_features
        self.weight = nn.Parameter(F.pad(linear.weight, (0, 0, 0, n_added)), requires_grad=False)
        self.bias = None if linear.bias is None else nn.Parameter(F.pad(linear.bias, (0, n_added)), requires_grad=False)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)[:, : self.out_features]
