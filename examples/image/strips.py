"""Plots of the image model's input and attention: images with masked patches, and the attention of the last layer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

HIDDEN = (0.36, 0.55, 0.68)  # a blue that does not occur in grey images


@dataclass(frozen=True)
class Strips:
    """Images (P, S, S) from 0 to 1, the mask of their pixels, and attention (P, rows, columns)."""

    pictures: Any
    hidden: Any
    attention: Any


def read_strips(checkpoint: Path, files: list[Path], seed: int) -> Strips:
    """Return masks and attention of a pre-trained checkpoint's model for images; masks depend on the seed."""
    import torch  # imported here, so that listing the commands is fast

    from data2vec_plugin.checkpoints.encoder_checkpoint import build_encoder, open_checkpoint
    from data2vec_plugin.data.image.transforms import evaluation_transform
    from data2vec_plugin.files.media.pictures import decode
    from data2vec_plugin.tasks.image_config import ImageTaskConfig, normalization

    opened = open_checkpoint(checkpoint)
    model: Any = build_encoder(opened, teacher=False)
    image, masker = model.encoder.embedder.image, method_of_images(model).masks.masker
    task = ImageTaskConfig(**{name: opened.task[name] for name in ("normalization_mean", "normalization_std")})
    transform = evaluation_transform(image.size, normalization(task))
    rng = numpy.random.default_rng(seed)
    batch = torch.stack([transform(decode(path.read_bytes(), str(path)), rng) for path in files])
    pictures = (batch[:, 0] * task.normalization_std[0] + task.normalization_mean[0]).numpy()
    patches = int(numpy.prod(image.grid))
    hidden = masker.rows([patches] * len(files), patches, [rng] * len(files)).reshape(-1, *image.grid)
    hidden = hidden.repeat(image.patch, 1).repeat(image.patch, 2)
    with torch.inference_mode():
        attention = last_attention(model, batch).numpy()
    return Strips(pictures.clip(0, 1), hidden, attention)


def method_of_images(model: Any) -> Any:
    """The part that a data2vec 1 model is, and that a data2vec 2.0 model has for each modality."""
    return getattr(model.method, "methods", {"IMAGE": model.method})["IMAGE"]


def last_attention(model: Any, batch: Any) -> Any:
    """Return the attention on patches in the last layer, averaged over heads and queries: (B, rows, columns)."""
    encoder = model.encoder
    attention = encoder.transformer.layers[-1].self_attn
    seen: list[Any] = []
    hook = attention.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs))
    encoder(batch)
    hook.remove()
    x, bias, _ = seen
    q, k, _ = attention.queries_keys_values(x)
    weights = (q @ k.transpose(-2, -1) * q.size(-1) ** -0.5 + (0 if bias is None else bias)).softmax(-1)
    grid = encoder.embedder.image.grid
    first = x.size(1) - grid[0] * grid[1]  # after the class token
    return weights[:, :, first:, first:].mean((1, 2)).unflatten(1, grid)


def draw_strips(left: Any, right: Any, strips: Strips) -> None:
    """Draw whole and masked images in the left panel, attention in the right one."""
    from matplotlib import colormaps

    whole = numpy.repeat(strips.pictures[..., None], 3, axis=-1)
    masked = numpy.where(strips.hidden[..., None], HIDDEN, whole)
    times = whole.shape[1] // strips.attention.shape[1]
    least, most = (extreme(strips.attention, axis=(1, 2), keepdims=True) for extreme in (numpy.min, numpy.max))
    relative = (strips.attention - least) / (most - least + 1e-12)
    looked = colormaps["magma"](relative.repeat(times, 1).repeat(times, 2))[..., :3]
    draw_rows(left, [whole, masked], "Test images, and the student's view of them")
    draw_rows(right, [whole, looked], "Attention in the last layer, from least to most")


def draw_rows(axes: Any, rows: list[Any], title: str) -> None:
    """Draw rows of images (P, S, S, 3); images in a column belong together."""
    margin = ((0, 0), (1, 1), (1, 1), (0, 0))
    lines = [numpy.concatenate(list(numpy.pad(row, margin, constant_values=1)), axis=1) for row in rows]
    axes.imshow(numpy.concatenate(lines), interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title)
