"""Images: patches, relative positions, block masks, how weights begin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict

import pytest
import torch
from torch import Tensor

from data2vec_plugin.core.config import Data2VecConfig, TargetConfig, TeacherConfig, TransformerConfig
from data2vec_plugin.core.masks.block_masking import BlockMaskConfig
from data2vec_plugin.core.outputs import Tokens
from data2vec_plugin.core.positions.relative_positions import RelativePositionBias
from data2vec_plugin.modalities.image import (
    ImageConfig,
    ImageEmbedder,
    grid_positions,
    image_data2vec,
    image_transformer,
)

TRANSFORMER = TransformerConfig(
    layers=3,
    dim=16,
    ffn_dim=32,
    heads=2,
    norm_first=True,
    norm_at="output",
    dropout=0.0,
    attention_dropout=0.0,
    layer_scale=0.1,
    key_bias=False,
)
METHOD = Data2VecConfig(TRANSFORMER, TargetConfig(top_k=2), TeacherConfig("encoder"), extra_tokens=1)
IMAGE = ImageConfig(size=12, patch=3, channels=2, mask=BlockMaskConfig(6, 2, 6))


def model(**settings: Any) -> Any:
    torch.manual_seed(0)
    return image_data2vec(METHOD, replace(IMAGE, **settings)).train()


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 2, 12, 12, generator=torch.Generator().manual_seed(1))


def test_a_token_is_a_linear_map_of_its_patch_row_by_row() -> None:
    embedding, img = ImageEmbedder(IMAGE, 16), images()
    tokens = embedding(img).x
    assert tokens.shape == (2, 16, 16)
    patch = img[1, :, 3:6, 6:9]  # row 1, column 2
    weight, bias = embedding.conv.weight.flatten(1), embedding.conv.bias
    assert bias is not None
    torch.testing.assert_close(tokens[1, 1 * 4 + 2], weight @ patch.flatten() + bias)


@pytest.mark.parametrize("shape", [(2, 2, 12, 9), (2, 2, 24, 24), (2, 3, 12, 12), (2, 12, 12)])
def test_an_image_of_another_size_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        ValueError, match=r"`img` has shape .*, expected a batch of 2 x 12 x 12: .*`task\.input_size=12`"
    ):
        model()(torch.zeros(shape))


@pytest.mark.parametrize("sizes", [(224, 15), (224, 0), (8, 16), (14, 4)])
def test_patches_that_do_not_divide_an_image_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"`patch_size` is {sizes[1]}, which does not divide `image_size` {sizes[0]}"):
        ImageConfig(*sizes)


def test_an_image_of_one_patch_cannot_be_masked() -> None:
    with pytest.raises(ValueError, match="1 x 1 patches, of which none is visible once one is masked"):
        model(patch=12)


@pytest.mark.parametrize(
    ("settings", "message"), [({"positions": "absolute"}, "`positions` is 'absolute'; expected one of shared, layers")]
)
def test_unknown_positions_are_refused(settings: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model(**settings)


def test_relative_positions_need_one_class_token() -> None:
    with pytest.raises(ValueError, match="`extra_tokens` is 0; expected 1"):
        image_data2vec(replace(METHOD, extra_tokens=0), IMAGE)


@pytest.mark.parametrize(("positions", "tables"), [("shared", 1), ("layers", 3), ("none", 0)])
def test_tables_of_positions_all_train(positions: str, tables: int) -> None:
    made = model(positions=positions)
    names = [name for name, _ in made.named_parameters() if name.endswith("rel_pos_bias.table")]
    assert len(names) == tables
    made(images()).loss.backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        # the last layer's class token is read by nobody
        assert name in names or float(parameter.grad.abs().sum()) > 0, name
    assert all(float(made.get_parameter(name).grad.abs().max()) > 0 for name in names)  # type: ignore[union-attr]


def test_order_is_known_by_relative_positions_alone() -> None:
    """Without them attention sees a bag of patches; with them, moved patches are other ones."""
    order = torch.randperm(16, generator=torch.Generator().manual_seed(2))
    for positions, same in (("none", True), ("shared", False)):
        made = model(positions=positions).eval()
        for module in made.modules():
            if isinstance(module, RelativePositionBias):
                torch.nn.init.normal_(module.table)
        tokens = made.encoder.embed(images(), None)
        moved = made.encoder.encode(Tokens(tokens.x[:, order])).x
        assert torch.allclose(moved, made.encoder.encode(tokens).x[:, order], atol=1e-5) == same


def test_layers_with_tables_of_their_own_use_them() -> None:
    image, tokens = replace(IMAGE, positions="layers"), Tokens(torch.zeros(1, 16, 16))
    positions, layers = grid_positions(TRANSFORMER, image), list(image_transformer(TRANSFORMER, image).layers)
    changed: Any = layers[1]
    torch.nn.init.ones_(changed.rel_pos_bias.table)
    biases = positions.biases(tokens, layers)
    assert [bool(bias.any()) for bias in biases if bias is not None] == [False, True, False]


def test_masks_are_blocks_that_follow_torchs_seed() -> None:
    made, tokens = model(), Tokens(torch.zeros(5, 16, 16))
    torch.manual_seed(3)
    first = made.masks.drawn(tokens)
    torch.manual_seed(3)
    again = made.masks.drawn(tokens)
    other = made.masks.drawn(tokens)
    assert torch.equal(first.indices, again.indices)
    assert not torch.equal(first.indices, other.indices)
    assert first.indices.shape == (5, 16)
    assert torch.equal(first.positions, first.indices.flatten().nonzero().squeeze(1))
    assert first.indices.sum(1).min() >= 1
    assert first.indices.sum(1).max() <= 6
    assert len({tuple(row.tolist()) for row in first.indices}) > 1


def test_masked_patches_are_the_mask_embedding_and_the_class_token_is_never() -> None:
    made, seen = model(), []
    handle = made.encoder.transformer.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    tokens = made.encoder.embed(images(), None)
    mask = made.masks.drawn(tokens)
    made.encoder.encode(made.encoder.view(tokens, mask))
    handle.remove()
    assert torch.equal(seen[0][:, 0], made.encoder.extra_tokens[0].expand(2, -1))
    hidden = seen[0][:, 1:][mask.indices]
    assert torch.equal(hidden, made.encoder.view.mask_emb.expand_as(hidden))
    assert torch.equal(seen[0][:, 1:][~mask.indices], tokens.x[~mask.indices])


def test_weights_begin_as_beits() -> None:
    """The reference gives its embeddings a mean of 0.02 and a deviation of 1, having swapped the arguments."""
    wide = replace(TRANSFORMER, dim=256, ffn_dim=512, layers=4)
    made = image_data2vec(replace(METHOD, transformer=wide), IMAGE)
    for parameter in (
        made.encoder.view.mask_emb,
        made.encoder.extra_tokens,
        made.encoder.embedder.conv.weight,
        made.encoder.transformer.layers[0].fc1.weight,
    ):
        values = torch.as_tensor(parameter).detach()
        assert float(values.std()) == pytest.approx(0.02, rel=0.2)
        assert abs(float(values.mean())) < 0.005
    for number, layer in enumerate(made.encoder.transformer.layers, start=1):
        block: Any = layer
        for projection in (block.self_attn.out_proj, block.fc2):
            assert float(projection.weight.detach().std()) == pytest.approx(0.02 / (2 * number) ** 0.5, rel=0.05)
        assert not block.fc1.bias.any()
        assert torch.equal(block.gamma_1, torch.full((256,), 0.1))


def test_upstreams_prediction_bypasses_the_head() -> None:  # B2
    compat = image_data2vec(replace(METHOD, reference_compat=True), IMAGE)
    assert not any(parameter.requires_grad for parameter in compat.predictor.parameters())
    tokens = compat.encoder.embed(images(), None)
    mask = compat.masks.drawn(tokens)
    x = compat.encoder.encode(compat.encoder.view(tokens, mask)).x
    assert torch.equal(compat.predictor(x[mask.indices]), x[mask.indices])
    ours = model()
    torch.testing.assert_close(ours.predictor(x[mask.indices]), ours.predictor(x[mask.indices]))
