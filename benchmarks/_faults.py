"""Small faults of the package, by room: what `planted_faults.py` plants into a copy of it.

A fault is a snippet of the package and what stands in its place. The snippet is searched in all files, so that code may
move; white space counts as one space. It must be found once. Where code is rewritten, add a second pair to the fault:
the first pair that is found is planted.
"""

from typing import NamedTuple


class Fault(NamedTuple):
    """A fault of one room.

    `tests` are names of test files without `test_` and `.py` (patterns may be used) that most likely catch it; `pairs`
    are (before, after) snippets, of which the first that is found is planted.
    """

    room: str
    name: str
    tests: tuple
    pairs: tuple


def fault(name, tests, *snippets):
    """A fault without its room: its name, the test files that may catch it, and before, after, before, after, ..."""
    return name, tuple(tests.split()), tuple(zip(snippets[::2], snippets[1::2], strict=True))


BY_ROOM = {
    "tabular preprocessing": [
        fault("scale of numbers is doubled", "scaling preprocessor", "0.5 / np.where(varies", "1.0 / np.where(varies"),
        fault("a week begins a day late", "dates", "(days + 3) % 7 / 7", "(days + 4) % 7 / 7"),
        fault(
            "a time zone's offset has the wrong sign",
            "dates",
            '- np.timedelta64(value.utcoffset() or NO_TIME, "us")',
            '+ np.timedelta64(value.utcoffset() or NO_TIME, "us")',
        ),
        fault("a missing date becomes 1970", "dates", "numbers[missing] = np.nan", "numbers[missing] = 0.0"),
        fault(
            "a missing category counts as unseen",
            "categories",
            "return self.missing if usual else",
            "return self.unseen if usual else",
        ),
        fault(
            "categories are pooled one too early",
            "categories",
            "len(order) > max_categories",
            "len(order) >= max_categories",
        ),
        fault(
            "infinity passes",
            "numbers tables preprocessor",
            "if infinite.any():",
            "if infinite.size and infinite.all():",
        ),
        fault(
            "a mask of categorical features is inverted",
            "kinds column_kinds",
            "np.flatnonzero(given)",
            "np.flatnonzero(~given)",
        ),
    ],
    "image preprocessing": [
        fault(
            "a pooled variance lacks the blocks' means",
            "intensities",
            "+ delta**2 * (self.n * n / total)",
            "",
        ),
        fault(
            "the mean of a channel ignores black",
            "intensities preprocessor images",
            "(statistics.mean - low) / (high - low)",
            "statistics.mean / (high - low)",
        ),
        fault(
            "height and width change places",
            "layout axes images",
            "array.transpose(0, 3, 1, 2) if layout",
            "array.transpose(0, 3, 2, 1) if layout",
        ),
        fault(
            "fractions are taken for bytes",
            "value_range",
            "if nearest and distances[nearest] < min(own / 4, 1):",
            "if False:",
        ),
        fault(
            "photographs lie on their side",
            "files pillow image_files",
            "if orientation == 1:",
            "if orientation:",
        ),
        fault(
            "colour needs all files to have it",
            "files pillow image_files",
            "any(header.colored for header in headers)",
            "all(header.colored for header in headers)",
        ),
        fault(
            "a broken image becomes black",
            "files pillow image_files",
            "low + self.mean_ * (high - low)",
            "low + self.mean_ * 0",
        ),
        fault(
            "rows of a memory map come in file order",
            "mapped memmap memory_maps",
            "images[part] = self.array[index[part]]",
            "images[start : start + IMAGES_AT_A_TIME] = self.array[index[part]]",
        ),
    ],
    "tabular augmentations": [
        fault(
            "corruption's mask is inverted",
            "corruption",
            "torch.where(u < rate,",
            "torch.where(u > rate,",
        ),
        fault("donors are the first rows only", "corruption", "u * (n / rate)", "u * n"),
        fault(
            "masked numbers become 1",
            "corruption",
            "uniform(x, draws, generator) < rate, 0.0",
            "uniform(x, draws, generator) < rate, 1.0",
        ),
        fault(
            "parts of one date are corrupted apart",
            "corruption mixed_tables",
            "if not spec.sources: return None",
            "if True: return None",
            'if not getattr(spec, "sources", ()):',
            "if True:",
        ),
        fault("corruption grows ten times as fast", "corruption", "0.1 + 0.005 * n_columns", "0.1 + 0.05 * n_columns"),
        fault(
            "mixup takes partners of the first rows",
            "noise noise_and_mixup",
            "torch.randint(data.shape[0], (batch,)",
            "torch.randint(min(batch, data.shape[0]), (batch,)",
        ),
        fault(
            "mixup's weights change places",
            "noise noise_and_mixup",
            "a * (1 - share) + b * share",
            "a * share + b * (1 - share)",
        ),
        fault(
            "noise moves codes of categories",
            "noise noise_and_mixup mixed_tables",
            "partial(gaussian_noise, scale=self.scale, n_numbers=spec.n_numbers) if spec.categories else self",
            "self",
            "return self if n is None else partial(gaussian_noise, scale=self.scale, n_numbers=n)",
            "return self",
        ),
    ],
    "image augmentations": [
        fault(
            "hue turns the wrong way",
            "colors",
            "torch.copysign(place, green - blue)",
            "torch.copysign(place, blue - green)",
        ),
        fault(
            "contrast moves away from the mean",
            "colors",
            "add_(each((1 - factor) * mean))",
            "add_(each((1 + factor) * mean))",
            "add_(per_image((1 - factor) * mean))",
            "add_(per_image((1 + factor) * mean))",
        ),
        fault("gray is of blue, green, red", "colors", "(0.2989, 0.587, 0.114)", "(0.114, 0.587, 0.2989)"),
        fault(
            "solarize inverts the dark",
            "colors",
            "torch.where(x >= threshold, inverted, x)",
            "torch.where(x < threshold, inverted, x)",
        ),
        fault(
            "one number places both sides of a crop",
            "crops",
            "left = torch.minimum((u[:, -1]",
            "left = torch.minimum((u[:, -2]",
        ),
        fault("crops are half a pixel off", "crops", "first - 0.5 + pixels *", "first + pixels *"),
        fault("a flip turns images upside down", "crops", "x.flip(3)", "x.flip(2)"),
        fault(
            "a blur darkens",
            "blur",
            "2 * weights.sum(1, keepdim=True) - weights[:, :1]",
            "2 * weights.sum(1, keepdim=True)",
        ),
        fault(
            "a change's probability is that of no change",
            "images operations every_image_augmentation",
            "[:, 0] < self.probability",
            "[:, 0] > self.probability",
        ),
        fault(
            "both views are the first of a pair",
            "pair two_views",
            "(augmentation.view_a, augmentation.view_b) if pair",
            "(augmentation.view_a, augmentation.view_a) if pair",
        ),
    ],
    "tabular networks": [
        fault(
            "columns of gaps are inverted",
            "stem tabular_stem",
            "torch.isnan(x[:, self.marked])",
            "~torch.isnan(x[:, self.marked])",
        ),
        fault("the last two categories share a vector", "stem", "sizes - 1)", "sizes - 2)"),
        fault(
            "vectors of unseen categories are drawn",
            "stem",
            "torch.cat([first, first + 1])",
            "torch.cat([first, first])",
        ),
        fault(
            "expansions of a gap are not 0",
            "stem expansions numeric_embeddings",
            "self.expansion(parts[0]).masked_fill(absent, 0.0)",
            "self.expansion(parts[0])",
        ),
        fault(
            "piecewise linear bins are one off",
            "expansions numeric_embeddings",
            "* self.slope + 1).clamp(0, 1)",
            "* self.slope).clamp(0, 1)",
        ),
        fault(
            "periodic features lack the cosine",
            "expansions numeric_embeddings",
            "[angle.sin(), angle.cos()]",
            "[angle.sin(), angle.sin()]",
        ),
        fault("a residual block forgets its input", "resnet", "return x + self.branch(x)", "return self.branch(x)"),
        fault(
            "initial weights count all inputs of all outputs",
            "init initialize",
            "math.sqrt(layer.weight[0].numel())",
            "math.sqrt(layer.weight.numel())",
        ),
        fault(
            "a user's module is trained in place",
            "ready user_encoder",
            "module = copy.deepcopy(self.source)",
            "module = self.source",
        ),
    ],
    "image networks": [
        fault("the mean is added", "image_stem stem", "(-mean * scale).float()", "(mean * scale).float()"),
        fault("bytes are divided by 256", "image_stem stem", "value=1 / 255", "value=1 / 256"),
        fault(
            "small images are halved first",
            "convnet",
            "[1] * (n_layers - n_halved) + [2] * n_halved",
            "[2] * n_halved + [1] * (n_layers - n_halved)",
        ),
        fault(
            "each block of a stage halves",
            "image_resnet resnet",
            "2 if stage > 0 and block == 0 else 1",
            "2 if stage > 0 else 1",
        ),
        fault(
            "blocks do not begin as their input",
            "image_resnet resnet conv*",
            "self.weight.zero_()",
            "self.weight.fill_(1.0)",
        ),
        fault(
            "convolutions are drawn by their inputs",
            "convolutions conv_layers",
            "self.weight[:, 0].numel()",
            "self.weight[0].numel()",
        ),
        fault("64 pixels are large", "image_resnet resnet", "max(sides) <= SMALL_SIDE", "max(sides) < SMALL_SIDE"),
        fault(
            "timm's weights ignore the seed",
            "timm",
            'int(torch.randint(2**62, (), generator=generator, device="cpu"))',
            "0",
        ),
    ],
    "objectives": [
        fault(
            "a gradient's sign is lost",
            "fused correlation_gradients every_objective",
            ".addmm_(other, M, beta=-1)",
            ".addmm_(other, M, beta=1)",
        ),
        fault(
            "gradients of wide projections take the wrong Gram matrix",
            "fused correlation_gradients every_objective",
            "gradient(u_b, u_a, K_a, t_a)",
            "gradient(u_b, u_a, K_b, t_b)",
        ),
        fault(
            "wide targets count the diagonal",
            "fused correlation_gradients hsic",
            "target**2 * dim * (dim - 1)",
            "target**2 * dim * dim",
        ),
        fault(
            "HSIC's target is 1",
            "hsic",
            "correlation_terms(z_a, z_b, weight, -1.0)",
            "correlation_terms(z_a, z_b, weight, 1.0)",
        ),
        fault(
            "standardization is by the unbiased variance",
            "correlation barlow_twins",
            "centered.square().mean(0) + eps",
            "centered.square().sum(0) / (len(z) - 1) + eps",
        ),
        fault(
            "the noise floor divides by the batch",
            "correlation barlow_twins every_objective",
            "dim * (dim - 1) / max(batch - 1, 1)",
            "dim * (dim - 1) / batch",
        ),
        fault(
            "a sample is its own negative",
            "info_nce",
            "logits.fill_diagonal_(torch.finfo(u.dtype).min / 2).logsumexp(1)",
            "logits.logsumexp(1)",
        ),
        fault(
            "negatives of both views are along one axis",
            "info_nce",
            "logits.logsumexp(1), logits.logsumexp(0)",
            "logits.logsumexp(1), logits.logsumexp(1)",
        ),
        fault(
            "VICReg's hinge is on the variance", "vicreg", "(variance + eps).sqrt()).mean()", "(variance + eps)).mean()"
        ),
        fault("VICReg's covariance is biased", "vicreg", "freedom = max(n - 1, 1)", "freedom = n"),
        fault(
            "the unbiased HSIC is biased",
            "ssl_hsic",
            "- total / (n * (n - 1))",
            "- total / (n * n)",
        ),
        fault(
            "mixtures forget their partners",
            "mixed_barlow_twins",
            "s_b.index_select(0, partners)",
            "s_b",
        ),
    ],
    "metrics": [
        fault("redundancy's noise is of n rows", "correlation", "n_pairs / (n - 1)", "n_pairs / n"),
        fault(
            "alignment squares twice",
            "hypersphere",
            "np.sqrt(((unit_rows(Z_a) - unit_rows(Z_b)) ** 2).sum(1))",
            "((unit_rows(Z_a) - unit_rows(Z_b)) ** 2).sum(1)",
        ),
        fault("uniformity counts rows with themselves", "hypersphere", "np.log(n * (n - 1) / 2)", "np.log(n * n / 2)"),
        fault("self_cluster divides by d", "hypersphere", "(d * cosines - 1) / (d - 1)", "(d * cosines - 1) / d"),
        fault(
            "rankme is of squares",
            "spectrum",
            "smooth_rank(np.sqrt(squared_singular_values(unit_scale(Z))), eps)",
            "smooth_rank(squared_singular_values(unit_scale(Z)), eps)",
        ),
        fault(
            "effective_rank forgets to centre",
            "spectrum",
            "squared_singular_values(unit_scale(centered(unit_scale(Z))))",
            "squared_singular_values(unit_scale(Z))",
        ),
        fault("alpha_req weighs ranks alike", "spectrum", "weights = 1 / ranks", "weights = np.ones(len(ranks))"),
        fault("lidar's views weigh q times as much", "lidar", "np.sqrt(n * q)", "np.sqrt(n)"),
        fault(
            "a row is its own neighbour by chance",
            "neighbors",
            "chance = n_neighbors / (n - 1)",
            "chance = n_neighbors / n",
        ),
        fault(
            "clusters are found from one seed each time",
            "clusters",
            "random_state=random_state + start",
            "random_state=random_state",
        ),
        fault("scorers forget what is better", "scorers", "1 if greater_is_better else -1", "1"),
        fault("rows are drawn with replacement", "scorers", "resample(X, replace=False", "resample(X, replace=True"),
    ],
    "displays": [
        fault("correlations are transposed", "displays cross_correlation", "cls(u_a.T @ u_b)", "cls(u_b.T @ u_a)"),
        fault(
            "the mean off the diagonal is on it",
            "displays",
            "C[~np.eye(len(C), dtype=bool)]",
            "C[np.eye(len(C), dtype=bool)]",
        ),
        fault(
            "a random encoder keeps unit statistics",
            "displays",
            ".built().train()",
            ".built().eval()",
            "_recipe.build().train()",
            "_recipe.build().eval()",
        ),
        fault(
            "the noise of the redundancy is added",
            "displays",
            'history["redundancy"] - history["excess_redundancy"]',
            'history["redundancy"] + history["excess_redundancy"]',
        ),
        fault("label 0 is no label", "displays", "bool(value == -1)", "bool(value == 0)"),
        fault("a reducer is fitted in place", "displays", "else clone(reducer)", "else reducer"),
        fault(
            "rows and columns of marks change places",
            "displays",
            "np.argwhere(~same)[:, ::-1]",
            "np.argwhere(~same)",
        ),
        fault(
            "gaps are marked as changed",
            "displays",
            "(picture == self.samples) | (np.isnan(picture) & np.isnan(self.samples))",
            "(picture == self.samples)",
            "(picture == samples) | (np.isnan(picture) & np.isnan(samples))",
            "(picture == samples)",
        ),
    ],
    "model_selection": [
        fault("halving keeps the worst", "halving", "np.argsort(-scores.mean(1)", "np.argsort(scores.mean(1)"),
        fault("halving rounds down", "halving", "np.ceil(n / factor)", "np.floor(n / factor)"),
        fault(
            "halving runs past the last round", "halving", "epochs[-1] * factor < last", "epochs[-1] * factor <= last"
        ),
        fault(
            "halving scores on training rows",
            "halving",
            "scorer(estimator, _safe_indexing(X, test), _safe_indexing(y, test))",
            "scorer(estimator, _safe_indexing(X, train), _safe_indexing(y, train))",
        ),
        fault(
            "folds share one estimator", "halving", "[clone(estimator) for _ in folds]", "[estimator for _ in folds]"
        ),
        fault("early rounds may rank first", "halving", "-(n * 2 + r)", "-r"),
        fault(
            "scores' deviation is unbiased",
            "halving",
            '"std_test_score": scores.std(1)',
            '"std_test_score": scores.std(1, ddof=1)',
        ),
        fault(
            "folds of one length share an embedder",
            "batched",
            "(embedder.get_params(), X, unlabeled)",
            "(embedder.get_params(), len(X), unlabeled)",
        ),
    ],
    "training": [
        fault("the first step has rate 0", "schedules", "return (step + 1) / warmup", "return step / warmup"),
        fault(
            "the cosine begins before the warmup ends",
            "schedules",
            "cosine(step - warmup, n_steps - warmup)",
            "cosine(step, n_steps)",
        ),
        fault(
            "biases decay",
            "optimizers",
            'if p.dim() <= 1], "weight_decay": 0.0}',
            'if p.dim() <= 1], "weight_decay": weight_decay}',
        ),
        fault(
            "LARS's ratio is upside down",
            "optimizers",
            "parameter.norm() / update.norm()",
            "update.norm() / parameter.norm()",
        ),
        fault(
            "batches are not shuffled",
            "batches",
            "torch.randperm(n, generator=self.generator, device=device)",
            "torch.arange(n, device=device)",
        ),
        fault("batches leave out a remainder", "batches", "-(-n // batch_size)", "n // batch_size"),
        fault(
            "held-out rows are measured in training mode",
            "net trainer embedder",
            "self._set_training(training)",
            "self._set_training(True)",
        ),
        fault(
            "held-out rows have other views in each epoch",
            "net trainer determinism",
            'self.generators["validation"].set_state(self.validation_state)',
            "pass",
        ),
        fault("the best epoch is not restored", "net trainer callbacks", "load_best=True", "load_best=False"),
        fault(
            "processes' variances lack their means",
            "ranks distributed",
            "variances.mean(0) + (means - mean).square().mean(0)",
            "variances.mean(0)",
        ),
        fault(
            "stacked AdamW corrects by the wrong beta",
            "fitting_together stacked* batched engines",
            "math.sqrt(1 - BETAS[1] ** self.n_steps)",
            "math.sqrt(1 - BETAS[0] ** self.n_steps)",
        ),
    ],
    "fitting": [
        fault(
            "views draw from the batches' seed",
            "build determinism seeds embedders formats",
            ", VIEWS, device, rank)",
            ", BATCHES, device, rank)",
            "Stream.VIEWS, device, rank)",
            "Stream.BATCHES, device, rank)",
        ),
        fault(
            "held-out rows are trained on",
            "prepare build warm_start callbacks components",
            "np.sort(order[n_valid:])",
            "np.sort(order)",
        ),
        fault(
            "warm starts forget earlier epochs",
            "warm_start",
            'n_done + len(new["epoch"])',
            'n_done * 0 + len(new["epoch"])',
            "prepared.first_epoch + n_new",
            "0 * prepared.first_epoch + n_new",
        ),
        fault(
            "a warm start trains the old encoder in place",
            "warm_start interrupts",
            "encoder = copy.deepcopy(embedder.encoder_)",
            "encoder = embedder.encoder_",
            "encoder = copy.deepcopy(previous.encoder)",
            "encoder = previous.encoder",
        ),
        fault(
            "frozen weights thaw in a warm start",
            "build warm_start",
            "requires_grad_(name not in self.recipe.frozen)",
            "requires_grad_(True)",
            "requires_grad_(name not in previous.recipe.frozen)",
            "requires_grad_(True)",
        ),
        fault(
            "a warm start forgets the optimizer's state",
            "warm_start",
            'self.net.optimizer_.load_state_dict(to_tensors(state["optimizer"]))',
            "pass",
        ),
        fault(
            "a warm start may change its parts",
            "warm_start",
            "if not same(was, now):",
            "if False:",
            "if not is_same(was, now):",
            "if False:",
        ),
        fault("max_epochs may go below n_iter_", "warm_start", "if n_epochs < n_fitted:", "if False:"),
        fault(
            "automatic epochs have no bounds",
            "plan epochs mixed_tables warm_start components",
            "int(np.clip(round(modality.steps / n_batches), *modality.epochs))",
            "int(max(1, round(modality.steps / n_batches)))",
            "int(np.clip(round(record.n_steps / n_batches), *record.epochs))",
            "int(max(1, round(record.n_steps / n_batches)))",
        ),
        fault(
            "the look after a fit is in training mode",
            "diagnosis collapse determinism",
            "training.net.module_.eval()",
            "training.net.module_",
        ),
        fault(
            "unlabeled rows are ignored",
            "unlabeled",
            "else np.concatenate)([X, unlabeled])",
            "else np.concatenate)([X, X])",
        ),
    ],
    "inference": [
        fault(
            "the last block is not padded",
            "inference embed determinism",
            "if len(rows) == size:",
            "if True:",
        ),
        fault(
            "a folded batch norm has the wrong shift",
            "folding fold_batch_norm inference",
            "norm.bias - norm.running_mean * scale",
            "norm.bias + norm.running_mean * scale",
        ),
        fault(
            "passed numbers are not unclipped",
            "output passthrough",
            "/ np.sqrt(1 - np.square(numbers))",
            "/ np.sqrt(1 + np.square(numbers))",
        ),
        fault(
            "passed gaps become 1",
            "output passthrough",
            "np.copyto(numbers, 0.0, where=np.isnan(numbers))",
            "np.copyto(numbers, 1.0, where=np.isnan(numbers))",
        ),
        fault(
            "passed categories are one off",
            "output passthrough",
            "np.nan_to_num(codes).astype(np.int64) - 2",
            "np.nan_to_num(codes).astype(np.int64) - 1",
        ),
        fault(
            "the output is balanced by variances",
            "output",
            "np.sqrt(total_variance / max(total, 1e-12))",
            "(total_variance / max(total, 1e-12))",
        ),
        fault(
            "columns are as loud as the embedding",
            "output passthrough",
            "variances=(6.0, 12.0)",
            "variances=(12.0, 12.0)",
        ),
        fault(
            "living coordinates are called dead",
            "diagnosis collapse",
            "np.flatnonzero(~lives)",
            "np.flatnonzero(lives)",
        ),
        fault(
            "the noise's share is that of the rest",
            "diagnosis collapse",
            "np.clip(1 - excess / total, 0, 1)",
            "np.clip(excess / total, 0, 1)",
        ),
        fault(
            "columns of a dask array stay apart",
            "blocks dask",
            "X.rechunk({axis: -1 for axis in range(1, X.ndim)})",
            "X",
        ),
        fault(
            "a fitted encoder stays in training mode",
            "inference persistence determinism",
            "encoder.eval().requires_grad_(False)",
            "encoder.requires_grad_(False)",
        ),
    ],
    "persistence": [
        fault(
            "damage passes",
            "damage embedders safetensors",
            'digest.hexdigest() != metadata.pop("sha256", None)',
            'metadata.pop("sha256", None) is None',
        ),
        fault(
            "tuples come back as lists",
            "codec json_codec embedders formats",
            'return items if kind == "list" else {"tuple": items}',
            "return items",
        ),
        fault("minus infinity loses its sign", "codec json_codec embedders", '"-inf": -math.inf', '"-inf": math.inf'),
        fault(
            "files of other classes are loaded",
            "embedders save_load damage",
            'if metadata["class"] != name_of(cls):',
            "if False:",
        ),
        fault(
            "a checkpoint begins the schedule anew",
            "checkpoints",
            "self.learning_rate.step += sum(",
            "self.learning_rate.step += 0 * sum(",
        ),
        fault(
            "checkpoints stay after the fit",
            "checkpoints",
            "fit.checkpoint.remove()",
            "pass",
            "prepared.checkpoint.remove()",
            "None",
        ),
        fault(
            "an epoch's snapshot goes on with training",
            "interrupts callbacks",
            "leaf.detach().clone() if",
            "leaf.detach() if",
        ),
        fault(
            "signal handlers are not put back",
            "interrupts checkpoints deferred_signals",
            "signal.signal(number, handler)",
            "pass",
        ),
        fault("ONNX forgets gaps", "onnx", "torch.where(absent, torch.nan, z)", "z"),
        fault(
            "ONNX forgets black",
            "onnx",
            "(x.permute(0, 3, 1, 2).double() - self.low) / self.width",
            "x.permute(0, 3, 1, 2).double() / self.width",
        ),
        fault(
            "the same version warns",
            "persistence",
            "version is not None and version != __version__",
            "version is not None and version == __version__",
        ),
    ],
    "runtime": [
        fault("threads are not put back", "runtime torch_state leftovers", "torch.set_num_threads(before)", "pass"),
        fault(
            "global generators are not put back",
            "runtime torch_state leftovers determinism",
            "_generators_lock, torch.random.fork_rng(devices=[device] if cuda else [])",
            "_generators_lock",
        ),
        fault(
            "streams of a seed are one",
            "runtime torch_state",
            "SeedSequence([seed, stream, rank])",
            "SeedSequence([seed, rank])",
        ),
        fault(
            "a fit cannot be within inference mode",
            "runtime torch_state",
            "stack.enter_context(torch.inference_mode(False))",
            "pass",
        ),
        fault("autocast reaches into a fit", "runtime torch_state", "if torch.is_autocast_enabled(kind):", "if False:"),
        fault(
            "n_jobs=-1 is one thread",
            "runtime torch_state",
            "n_threads = min(joblib.effective_n_jobs(n_jobs),",
            "n_threads = min(abs(n_jobs),",
        ),
        fault(
            "rows on the host ignore the split",
            "feeding storage",
            "self.samples[rows if self.index is None else self.index[rows]]",
            "self.samples[rows]",
        ),
        fault("the time left is that of all", "bars progress*", "* (self.total - now_done)", "* self.total"),
        fault("the CPU computes in bfloat16", "devices", '"bfloat16" if fast else "float32"', '"bfloat16"'),
    ],
    "estimator": [
        fault("columns are left out by default", "docstrings output", 'passthrough="auto",', "passthrough=False,"),
        fault(
            "one row may be a batch",
            "parameters embedder base",
            '"batch_size": [Interval(Integral, 2,',
            '"batch_size": [Interval(Integral, 1,',
        ),
        fault(
            "tables have another encoder",
            "component components roles modalities",
            'encoder="mlp")',
            'encoder="resnet")',
            '"encoder": "mlp"}',
            '"encoder": "resnet"}',
        ),
        fault(
            "fit always goes on",
            "warm_start determinism",
            'resume = self.warm_start and hasattr(self, "encoder_")',
            'resume = hasattr(self, "encoder_")',
        ),
        fault(
            "partial_fit begins anew",
            "warm_start streaming",
            'resume=hasattr(self, "encoder_"), stream=True',
            "resume=False, stream=True",
        ),
        fault("a user's component is fitted in place", "components roles", "part = clone(to_plain(part))", "pass"),
        fault(
            "a refit keeps what it does not replace", "persistence changing_data state", "if name not in stale}", "}"
        ),
        fault(
            "gaps are refused by the tags",
            "tables preprocessor",
            "tags.input_tags.allow_nan = True\n        tags.input_tags.categorical",
            "tags.input_tags.allow_nan = False\n        tags.input_tags.categorical",
        ),
        fault(
            "n_components keeps the columns",
            "output passthrough",
            "is_table and n_components is None and not",
            "is_table and not",
            "has_columns and n_components is None and not",
            "has_columns and not",
        ),
        fault(
            "booleans pass for numbers",
            "parameters components",
            'is_boolean and not {"boolean"',
            'False and not {"boolean"',
        ),
    ],
}
FAULTS = [Fault(room, *entry) for room, entries in BY_ROOM.items() for entry in entries]
