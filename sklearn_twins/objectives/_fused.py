"""Both objectives of the cross-correlation in one step each way, from projections to terms and back to gradients."""

import torch

from ._correlation import EPS, at_least_float32, gram, is_wide, refuse_second_derivative

# Numbers of a tensor that are worked on at a time and thread, so that several such pieces stay in a core's cache.
PIECE = 2**16
NARROWEST_PIECE = 256  # of which products are still fast


def in_pieces(*tensors):
    """Tensors of equal last axis, cut along it into pieces that fit the processor's cache; uncut on other devices."""
    n, dim = tensors[0].shape
    if tensors[0].device.type != "cpu":
        return [tensors]
    width = max(NARROWEST_PIECE, PIECE * torch.get_num_threads() // n)
    width = -(-dim // max(1, round(dim / width)))
    return zip(*(tensor.split(width, -1) for tensor in tensors), strict=True)


def unit_norm_columns(z):
    """Centre every coordinate and divide it by its norm, eps included.

    That is `standardize(z) / sqrt(n)`: products of two such matrices are correlations, with no n left over.

    Parameters
    ----------
    z : Tensor of shape (batch, dim)
        Projections.

    Returns
    -------
    u : Tensor of shape (batch, dim), at least float32
    scale : Tensor of shape (dim,)
        What the centred coordinates were multiplied with.
    """
    n, dim = z.shape
    dtype = at_least_float32(z[:0]).dtype
    u, scale = z.new_empty((n, dim), dtype=dtype), z.new_empty(dim, dtype=dtype)
    for z_j, u_j, scale_j in in_pieces(z, u, scale):
        z_j = at_least_float32(z_j)
        torch.sub(z_j, z_j.sum(0).div_(n), out=u_j)
        torch.rsqrt((u_j * u_j).sum(0).add_(n * EPS), out=scale_j)
        u_j.mul_(scale_j)
    return u, scale


def direct_sums(u_a, u_b, target):
    """Diagonal of C, ``D = C - target`` off the diagonal, and sums of its products with C.

    Parameters
    ----------
    u_a, u_b : Tensors of shape (batch, dim)
        From `unit_norm_columns`.
    target : float
        What off-diagonal correlations should be.

    Returns
    -------
    on : Tensor of shape (dim,)
        Diagonal of C.
    off : scalar Tensor
        Sum of the squares of D.
    D : Tensor of shape (dim, dim)
        With zeros on its diagonal, so that the sum of all squares is that of those off it, with nothing to cancel.
    rows, columns : Tensors of shape (dim,)
        Sums of ``C * D`` off the diagonal, over either axis.
    """
    D = u_a.T @ u_b
    on = D.diagonal().clone()
    if target:
        D.sub_(target)
    D.diagonal().zero_()
    squares = D * D
    rows, columns = squares.sum(1), squares.sum(0)
    off = rows.sum()
    if target:
        rows.add_(D.sum(1), alpha=target)
        columns.add_(D.sum(0), alpha=target)
    return on, off, D, rows, columns


def direct_gradient(u, other, scale, on_gradient, D, off_gradient, sums, on):
    """Gradient of one view's projections in the direct form.

    With M the gradient of C, it is ``scale * (other @ M.T - u * q)``, where ``q_i = sum_j C_ij M_ij``.

    Parameters
    ----------
    u, other : Tensors of shape (batch, dim)
        This view and the other, from `unit_norm_columns`.
    scale : Tensor of shape (dim,)
        This view's.
    on_gradient : Tensor of shape (dim,)
        Diagonal of M.
    D : Tensor of shape (dim, dim)
        This view's coordinates along its first axis.
    off_gradient : scalar Tensor
        M is this times D off its diagonal.
    sums, on : Tensors of shape (dim,)
        Sums of ``C * D`` for each of this view's coordinates, and the diagonal of C.

    Returns
    -------
    gradient : Tensor of shape (batch, dim)
    """
    M = D * (off_gradient * scale).unsqueeze(1)
    M.diagonal().copy_(on_gradient * scale)
    q = torch.addcmul(off_gradient * sums, on_gradient, on)
    return (u * (q * scale).neg_()).addmm_(other, M.T)


def gram_sums(u_a, u_b, target):
    """Diagonal of C and the off-diagonal sum, through Gram matrices.

    The sum of ``(C_ij - target)^2`` is ``<K_a, K_b> - 2 target <t_a, t_b> + dim^2 target^2`` less its diagonal, where
    K are the Gram matrices of rows and t the sums of each row, so that C need not be formed.

    Parameters
    ----------
    u_a, u_b : Tensors of shape (batch, dim)
        From `unit_norm_columns`.
    target : float
        What off-diagonal correlations should be.

    Returns
    -------
    on : Tensor of shape (dim,)
        Diagonal of C.
    off : scalar Tensor
    K_a, K_b : Tensors of shape (batch, batch)
    t_a, t_b : Tensors of shape (batch,), or None if `target` is 0
    """
    dim = u_a.shape[1]
    on = torch.cat([(a_j * b_j).sum(0) for a_j, b_j in in_pieces(u_a, u_b)])
    K_a, K_b = gram(u_a), gram(u_b)
    off, t_a, t_b = (K_a * K_b).sum() - on.square().sum(), None, None
    if target:
        t_a, t_b = u_a.sum(1), u_b.sum(1)
        off += target**2 * dim * (dim - 1) - 2 * target * ((t_a * t_b).sum() - on.sum())
    return on, off, K_a, K_b, t_a, t_b


def gram_gradient(u, other, scale, v, K, t):
    """Gradient of one view's projections in the Gram form.

    With ``G = K @ u + v * other + t`` it is ``scale * (G - u * q)``, where ``q_i`` is the product of the i-th columns
    of G and u.

    Parameters
    ----------
    u, other : Tensors of shape (batch, dim)
        This view and the other, from `unit_norm_columns`.
    scale : Tensor of shape (dim,)
        This view's.
    v : Tensor of shape (dim,)
        What the diagonal of C adds to G.
    K : Tensor of shape (batch, batch)
        The other view's Gram matrix, times the gradient of the off-diagonal sum.
    t : Tensor of shape (batch,) or None
        The other view's sums of rows, times that and a target other than 0.

    Returns
    -------
    gradient : Tensor of shape (batch, dim)
    """
    gradient = torch.empty_like(u)
    for u_j, other_j, scale_j, v_j, G in in_pieces(u, other, scale, v, gradient):
        torch.mul(other_j, v_j, out=G)
        if t is not None:
            G.add_(t.unsqueeze(1))
        G.addmm_(K, u_j)
        q = (G * u_j).sum(0)
        G.addcmul_(u_j, q, value=-1).mul_(scale_j)
    return gradient


class CorrelationTerms(torch.autograd.Function):
    """The terms, as one node of the graph: `correlation_terms` says what they are."""

    @staticmethod
    def forward(ctx, z_a, z_b, weight, target):
        with torch.autocast(z_a.device.type, enabled=False):
            (u_a, scale_a), (u_b, scale_b) = unit_norm_columns(z_a), unit_norm_columns(z_b)
            ctx.weight, ctx.target, ctx.dtypes, ctx.wide = weight, target, (z_a.dtype, z_b.dtype), is_wide(z_a)
            on, off, *parts = (gram_sums if ctx.wide else direct_sums)(u_a, u_b, target)
            ctx.save_for_backward(u_a, u_b, scale_a, scale_b, on, *parts)
            return (1 - on).square().sum(), off * weight

    @staticmethod
    def backward(ctx, of_invariance, of_redundancy):
        # The gradient of C sums to 0 over the rows, since every u is centred, so that no mean need be taken off it.
        refuse_second_derivative()
        u_a, u_b, scale_a, scale_b, on, *parts = ctx.saved_tensors
        needs_a, needs_b = ctx.needs_input_grad[:2]
        gradients = [None, None]
        with torch.autocast(u_a.device.type, enabled=False):
            off_gradient, on_gradient = 2 * ctx.weight * of_redundancy, 2 * of_invariance * (on - 1)
            if ctx.wide:
                K_a, K_b, t_a, t_b = parts
                v = on_gradient - off_gradient * (on - ctx.target)
                of_total = -ctx.target * off_gradient
                if needs_a:
                    t = None if t_b is None else of_total * t_b
                    gradients[0] = gram_gradient(u_a, u_b, scale_a, v, off_gradient * K_b, t)
                if needs_b:
                    t = None if t_a is None else of_total * t_a
                    gradients[1] = gram_gradient(u_b, u_a, scale_b, v, off_gradient * K_a, t)
            else:
                D, rows, columns = parts
                if needs_a:
                    gradients[0] = direct_gradient(u_a, u_b, scale_a, on_gradient, D, off_gradient, rows, on)
                if needs_b:
                    gradients[1] = direct_gradient(u_b, u_a, scale_b, on_gradient, D.T, off_gradient, columns, on)
        gradients = [g if g is None else g.to(dtype) for g, dtype in zip(gradients, ctx.dtypes, strict=True)]
        return *gradients, None, None


def correlation_terms(z_a, z_b, weight, target):
    """Invariance and redundancy of two projections.

    ``sum_i (1 - C_ii)^2`` and ``weight * sum_{i != j} (C_ij - target)^2``, with C the cross-correlation of the
    projections, standardised as by `standardize`. The cheaper of two equal forms is taken: C itself, O(batch dim^2), or,
    where the projections are wider than the batch, the Gram matrices of both views' rows, O(batch^2 dim) and with
    memory for no more than them and the projections. Gradients reuse what the terms were made of.

    Parameters
    ----------
    z_a, z_b : Tensors of shape (batch, dim)
        Projections of two views of the same rows.
    weight : float
        Weight of the off-diagonal sum.
    target : float
        What off-diagonal correlations should be: 0 for Barlow Twins, -1 for its HSIC form.

    Returns
    -------
    invariance, redundancy : scalar Tensors, at least float32
    """
    return CorrelationTerms.apply(z_a, z_b, weight, target)
