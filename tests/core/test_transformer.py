"""The encoder against torch's own layers, and what dropping, padding and biases do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List, Optional, Tuple

import pytest
import torch
from torch import Tensor, nn

from data2vec_plugin.core.attention import attention_mask
from data2vec_plugin.core.config import TransformerConfig
from data2vec_plugin.core.transformer import Block, DropPath, Transformer

PLAIN = TransformerConfig(layers=3, dim=16, ffn_dim=24, heads=4, dropout=0.0, attention_dropout=0.0)
B, T = 2, 7


def randomised(module: nn.Module, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    for parameter in module.parameters():
        parameter.data.copy_(torch.randn(parameter.shape) * 0.3)
    return module


def inputs() -> Tensor:
    return torch.randn(B, T, PLAIN.dim, generator=torch.Generator().manual_seed(1))


def torch_layer(block: Block) -> nn.TransformerEncoderLayer:
    """torch's encoder layer with the weights of ours."""
    layer = nn.TransformerEncoderLayer(
        PLAIN.dim, PLAIN.heads, PLAIN.ffn_dim, 0.0, "gelu", batch_first=True, norm_first=block.norm_first
    )
    attention = block.self_attn
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    layer.self_attn.in_proj_weight.data = torch.cat([projection.weight.data for projection in projections])
    layer.self_attn.in_proj_bias.data = torch.cat([projection.bias.data for projection in projections])
    layer.self_attn.out_proj.load_state_dict(attention.out_proj.state_dict())
    for ours, theirs in (
        (block.fc1, layer.linear1),
        (block.fc2, layer.linear2),
        (block.self_attn_layer_norm, layer.norm1),
        (block.final_layer_norm, layer.norm2),
    ):
        theirs.load_state_dict(ours.state_dict())
    return layer.train()


def padding() -> Tensor:
    mask = torch.zeros(B, T, dtype=torch.bool)
    mask[1, 5:] = True
    return mask


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_block_is_torchs_encoder_layer(norm_first: bool, padded: bool) -> None:
    block: Block = randomised(Block(replace(PLAIN, norm_first=norm_first)))
    mask = padding() if padded else None
    ours = block(inputs(), attention_mask(mask, None, torch.float32))["block"]
    theirs = torch_layer(block)(inputs(), src_key_padding_mask=mask)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm_first", [False, True])
def test_signals_are_the_four_of_the_ablation(norm_first: bool) -> None:
    block: Block = randomised(Block(replace(PLAIN, norm_first=norm_first)))
    x = inputs()
    signals = block(x)
    if norm_first:
        after = x + signals["attention"]
        torch.testing.assert_close(signals["ffn"], block.feed_forward(block.final_layer_norm(after)))
        assert torch.equal(signals["block"], signals["ffn_residual"])
    else:
        after = block.self_attn_layer_norm(x + signals["attention"])
        torch.testing.assert_close(signals["ffn"], block.feed_forward(after))
        torch.testing.assert_close(signals["block"], block.final_layer_norm(signals["ffn_residual"]))
    torch.testing.assert_close(signals["ffn_residual"], after + signals["ffn"])


@pytest.mark.parametrize(("norm_first", "norm_at"), [(False, "input"), (True, "output"), (False, "none")])
def test_padded_row_equals_the_row_alone(norm_first: bool, norm_at: str) -> None:
    encoder: Transformer = randomised(Transformer(replace(PLAIN, norm_first=norm_first, norm_at=norm_at)))
    x = inputs()
    together = encoder(x, padding()).x[1, :5]
    torch.testing.assert_close(together, encoder(x[1:, :5]).x[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("norm_at", "steps"), [("input", (0, 1)), ("output", (1, 0)), ("none", (0, 0))])
def test_place_of_the_encoders_norm(norm_at: str, steps: Tuple[int, int]) -> None:
    encoder: Transformer = randomised(Transformer(replace(PLAIN, norm_at=norm_at)))
    x = inputs()
    before = encoder.layer_norm(x) if steps[1] and encoder.layer_norm is not None else x
    for block in encoder.layers:
        before = block(before)["block"]
    wanted = encoder.layer_norm(before) if steps[0] and encoder.layer_norm is not None else before
    torch.testing.assert_close(encoder(x).x, wanted)


def biases(count: int) -> List[Optional[Tensor]]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(1, PLAIN.heads, T, T, generator=generator) for _ in range(count)]


@pytest.mark.parametrize("count", [1, PLAIN.layers])
@pytest.mark.parametrize("padded", [False, True])
def test_biases_go_to_all_layers_or_each(count: int, padded: bool) -> None:
    encoder: Transformer = randomised(Transformer(replace(PLAIN, norm_at="none")))
    given, mask = biases(count), padding() if padded else None
    wanted = inputs()
    for block, bias in zip(encoder.layers, given if count > 1 else given * PLAIN.layers):
        wanted = block(wanted, attention_mask(mask, bias, torch.float32))["block"]
    torch.testing.assert_close(encoder(inputs(), mask, given).x, wanted)


def test_keys_may_go_without_bias() -> None:
    attention = Block(replace(PLAIN, key_bias=False)).self_attn
    assert attention.k_proj.bias is None
    assert attention.q_proj.bias is not None


def test_last_stops_early_and_leaves_the_final_norm_out() -> None:
    encoder: Transformer = randomised(Transformer(replace(PLAIN, norm_first=True, norm_at="output")))
    everything = encoder(inputs(), record=("block", "ffn"))
    stopped = encoder(inputs(), last=1, record=("block",))
    assert len(stopped.layers) == 2
    torch.testing.assert_close(stopped.x, everything.layers[1]["block"])
    assert [list(layer) for layer in encoder(inputs(), first=2, record=("ffn",)).layers] == [["ffn"]]


def test_nothing_is_recorded_unless_asked_for() -> None:
    assert Transformer(PLAIN)(inputs()).layers == []


def test_layer_drop_skips_layers_in_training_only() -> None:
    encoder = Transformer(replace(PLAIN, layers=40, dim=4, heads=1, ffn_dim=4, layer_drop=0.5))
    x = torch.randn(1, 3, 4)
    torch.manual_seed(0)
    ran = len(encoder(x, record=("block",)).layers)
    assert 10 < ran < 30
    torch.manual_seed(0)
    assert len(encoder(x, record=("block",)).layers) == ran  # torch's generator decides: it resumes with the run
    assert len(encoder.eval()(x, record=("block",)).layers) == 40


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropped = DropPath(0.25)(torch.ones(4000, 2, 3))
    per_sample = dropped.flatten(1)
    assert ((per_sample == 0).all(1) | (per_sample == 1 / 0.75).all(1)).all()
    assert dropped.mean() == pytest.approx(1, abs=0.05)
    assert torch.equal(DropPath(0.25).eval()(torch.ones(5, 2, 3)), torch.ones(5, 2, 3))


def test_drop_path_grows_with_depth() -> None:
    blocks = Transformer(replace(PLAIN, drop_path=0.2)).layers
    assert [block.drop_path.rate for block in blocks] == pytest.approx([0, 0.1, 0.2])


def test_layer_scale_weighs_the_branches() -> None:
    config = replace(PLAIN, norm_first=True, layer_scale=0.5)
    scaled: Block = randomised(Block(config))
    scaled.gamma_1.data.fill_(0.5)
    scaled.gamma_2.data.zero_()
    x = inputs()
    attended = scaled.self_attn(scaled.self_attn_layer_norm(x), None)
    torch.testing.assert_close(scaled(x)["block"], x + 0.5 * attended)
    torch.testing.assert_close(scaled(x)["attention"], 0.5 * attended)
    assert not scaled(x)["ffn"].any()


def test_checkpointed_activations_give_the_same_gradients() -> None:
    gradients = []
    for saving in (False, True):
        encoder: Transformer = randomised(Transformer(replace(PLAIN, checkpoint_activations=saving)))
        encoder(inputs(), padding()).x.square().sum().backward()
        gradients.append([parameter.grad for parameter in encoder.parameters()])
    for plain, recomputed in zip(*gradients):
        torch.testing.assert_close(plain, recomputed)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"heads": 5}, "heads"),
        ({"activation": "sine"}, "activation"),
        ({"norm_at": "middle"}, "norm_at"),
    ],
)
def test_bad_settings_are_named(settings: Any, field: str) -> None:
    with pytest.raises(ValueError, match=f"`{field}`"):
        replace(PLAIN, **settings)


def wanted_rows() -> Tensor:
    return torch.tensor([1, 2, 5, 9, 13])


@pytest.mark.parametrize("norm_at", ["input", "output", "none"])
@pytest.mark.parametrize("norm_first", [False, True])
def test_rows_are_those_of_the_whole(norm_first: bool, norm_at: str) -> None:
    encoder: Transformer = randomised(Transformer(replace(PLAIN, norm_first=norm_first, norm_at=norm_at)))
    whole = encoder(inputs(), padding(), record=("block", "ffn", "attention", "ffn_residual"))
    some = encoder(inputs(), padding(), record=("block", "ffn", "attention", "ffn_residual"), rows=wanted_rows())
    torch.testing.assert_close(some.x, whole.x.flatten(0, 1)[wanted_rows()])
    for ours, theirs in zip(some.layers, whole.layers):
        for name, signal in ours.items():
            torch.testing.assert_close(signal, theirs[name].flatten(0, 1)[wanted_rows()])


@pytest.mark.parametrize("checkpointed", [False, True])
def test_rows_have_the_gradients_of_the_whole(checkpointed: bool) -> None:
    config = replace(PLAIN, checkpoint_activations=checkpointed)
    encoder: Transformer = randomised(Transformer(config)).train()
    encoder(inputs()).x.flatten(0, 1)[wanted_rows()].square().sum().backward()
    expected = [parameter.grad for parameter in encoder.parameters()]
    encoder.zero_grad()
    encoder(inputs(), rows=wanted_rows()).x.square().sum().backward()
    torch.testing.assert_close([parameter.grad for parameter in encoder.parameters()], expected)


def test_last_layer_computes_the_rows_alone() -> None:
    encoder = Transformer(PLAIN)
    widths: List[Tuple[int, ...]] = []
    for block in encoder.layers:
        block.fc1.register_forward_hook(lambda module, args, out: widths.append(tuple(args[0].shape[:-1])))
    encoder(inputs(), rows=wanted_rows())
    assert widths == [(B, T), (B, T), (len(wanted_rows()),)]


@pytest.mark.parametrize("dropped", [{"drop_path": 0.5}, {"layer_drop": 1.0}])
def test_rows_of_what_is_dropped_whole(dropped: Any) -> None:
    encoder: Transformer = randomised(Transformer(replace(PLAIN, **dropped))).train()
    torch.manual_seed(3)
    whole = encoder(inputs()).x.flatten(0, 1)[wanted_rows()]
    torch.manual_seed(3)
    torch.testing.assert_close(encoder(inputs(), rows=wanted_rows()).x, whole)


def test_what_stands_in_the_place_of_a_linear_layer_is_used() -> None:
    """Adapters, quantised layers and hooks: nothing reads weights past them."""

    class Halved(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) / 2

    block: Block = randomised(Block(PLAIN))
    x, plain = inputs(), block.feed_forward(inputs())
    halved = Halved(PLAIN.ffn_dim, PLAIN.dim)
    halved.load_state_dict(block.fc2.state_dict())
    seen: List[Tensor] = []
    handle = block.fc2.register_forward_hook(lambda module, args, out: seen.append(out))
    torch.testing.assert_close(block.feed_forward(x), plain)
    handle.remove()
    torch.testing.assert_close(seen[0], plain)
    block.fc2 = halved
    torch.testing.assert_close(block.feed_forward(x), plain / 2)
