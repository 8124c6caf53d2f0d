"""data2vec 2.0 out of the method's parts: what is encoded, what it costs, and that nothing of padding counts."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from visible_models import COPIES, DECODER, DEPTH, DIM, batch_of, method_of, source_of, visible_model

from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.core.model import Data2Vec
from data2vec_plugin.core.view import MaskedView

MODALITIES = ["AUDIO", "IMAGE", "TEXT"]


class RefuseWaiting(TorchDispatchMode):
    """Raises where a device would be waited for."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function._schema.name.split("::")[-1]
        masked = name.startswith("index") and any(
            isinstance(part, Tensor) and part.dtype == torch.bool
            for arg in args[1:]
            for part in (arg if isinstance(arg, (list, tuple)) else [arg])
        )
        if name in ("_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero") or masked:
            raise AssertionError(f"{name} waits for the device")
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("modality", MODALITIES)
def test_an_update_never_waits_for_the_device(modality: str) -> None:
    model = visible_model(modality, cls_loss=0.1 if modality == "IMAGE" else 0.0)
    inputs, _ = batch_of(model, source_of(modality))
    with RefuseWaiting():
        result = model(**inputs)
        torch.stack(list(result["losses"].values())).sum().backward()
        model.set_num_updates(1)
    assert result["sample_size"] > 0


def test_what_would_wait_is_noticed() -> None:
    with pytest.raises(AssertionError, match="waits"), RefuseWaiting():
        torch.ones(3)[torch.ones(3, dtype=torch.bool)]
    with pytest.raises(AssertionError, match="waits"), RefuseWaiting():
        float(torch.ones(()))


@pytest.mark.parametrize("modality", MODALITIES)
def test_visible_tokens_cost_what_they_should(modality: str) -> None:
    """Attention and feed-forward of R·V tokens for the student, of B·T for the teacher, each within 10 %.

    A layer multiplies a token with 4 C² weights of attention and 8 C² of the feed-forward, and two numbers of C
    channels with every other token; speech also has its convolutions of positions, of all R·T frames.
    """
    dim, layers = 128, DEPTH + (0 if modality == "TEXT" else 1)
    model = visible_model(modality, own={"embed_dim": dim} if modality == "IMAGE" else None, embed_dim=dim)
    method = method_of(model)
    source = source_of(modality)
    _, mask = batch_of(model, source)
    assert mask.visible is not None
    local, extra = method.encoder.embed(source), method.config.extra_tokens

    def wanted(rows: int, tokens: int, width: int) -> float:
        blocks = rows * layers * (12 * tokens * dim**2 + 2 * tokens**2 * dim)
        positions = 2 * rows * width * 5 * dim**2 / 4 if modality == "AUDIO" else 0
        return 2.0 * (blocks + positions)

    rows, width = mask.indices.shape
    with FlopCounterMode(display=False) as student, torch.no_grad():
        method.encoder.encode(method.encoder.view(local, mask))
    assert student.get_total_flops() == pytest.approx(wanted(rows, mask.visible.size(1) + extra, width), rel=0.1)
    with FlopCounterMode(display=False) as teacher, torch.no_grad():
        method.teacher_signals(source, None, local, mask)
    embedding = 2 * width * 192 * dim * len(source) if modality == "IMAGE" else 0
    assert teacher.get_total_flops() == pytest.approx(wanted(len(source), width + extra, width) + embedding, rel=0.1)


@pytest.mark.parametrize("modality", ["AUDIO", "TEXT"])
@pytest.mark.parametrize("keys", [{}, {"instance_norm_targets": True}, {"layer_norm_first": True}])
def test_a_padded_row_is_the_same_row_alone(modality: str, keys: Dict[str, Any]) -> None:  # B7, B31, B33
    """With masks of its own count, in student, teacher, targets and decoder."""
    model = visible_model(modality, own={"mask_noise_std": 0.0}, **keys)
    method = method_of(model)
    source = source_of(modality)
    short = 20 * 25 + 25 if modality == "AUDIO" else 25
    padding_mask = torch.zeros(source.shape, dtype=torch.bool)
    padding_mask[1, short:] = True
    source = source.masked_fill(padding_mask, 1 if modality == "TEXT" else 0)
    _, mask = batch_of(model, source, padding_mask)
    together = method(source, padding_mask, mask).terms[f"{modality}_regression"]
    alone_source = source[1:, :short]
    width = method.encoder.embed(alone_source).x.size(1)
    alone_mask = method.masks.with_visible(Mask.given(mask.indices[COPIES:, :width]), [width])
    alone = method(alone_source, None, alone_mask).terms[f"{modality}_regression"]
    count = alone.count
    torch.testing.assert_close(together.predictions[-count:], alone.predictions, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.targets[-count:], alone.targets, rtol=1e-4, atol=1e-5)
    assert len(set(mask.indices.sum(1).tolist())) == 2


@pytest.mark.parametrize("modality", MODALITIES)
def test_rows_may_hide_different_counts(modality: str) -> None:  # B33
    """Nothing visible is dropped and nothing masked leaks where rows of a batch differ."""
    model = visible_model(modality, own={"mask_noise_std": 0.0}, clone_batch=1)
    method = method_of(model)
    source = source_of(modality)
    width = method.encoder.embed(source).x.size(1)
    indices = torch.zeros(2, width, dtype=torch.bool)
    indices[0, 2:9] = True
    indices[1, 1:4] = True
    both = method(source, None, Mask.given(indices)).terms[f"{modality}_regression"]
    rows = [method(source[i : i + 1], None, Mask.given(indices[i : i + 1])) for i in range(2)]
    wanted = torch.cat([row.terms[f"{modality}_regression"].predictions for row in rows])
    torch.testing.assert_close(both.predictions, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("modality", MODALITIES)
def test_what_is_masked_reaches_no_prediction(modality: str) -> None:
    model = visible_model(modality, own={"mask_noise_std": 0.0})
    method = method_of(model)
    source = source_of(modality)
    local = method.encoder.embed(source)
    _, mask = batch_of(model, source)
    predictions = []
    for _ in range(2):
        student = method.encoder.encode(method.encoder.view(local, mask))
        predictions.append(method.predict(student, mask, local)[0])
        hidden_everywhere = mask.indices.view(2, COPIES, -1).all(1)
        local.x = torch.where(hidden_everywhere.unsqueeze(-1), 100.0, local.x)
    assert bool(hidden_everywhere.any())
    torch.testing.assert_close(*predictions)


def test_one_pass_of_the_teacher_serves_all_copies() -> None:
    model = visible_model("TEXT")
    seen: List[Any] = []
    teacher: Any = model.method.ensure_teacher()  # type: ignore[union-attr, operator]
    encoder = teacher.module.methods["TEXT"].encoder.transformer
    handle = encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape))
    inputs, mask = batch_of(model, source_of("TEXT"))
    model(**inputs)
    handle.remove()
    assert seen == [(2, 40, DIM)]
    assert len(mask.indices) == 2 * COPIES
    copies = mask.indices.view(2, COPIES, -1)
    assert not torch.equal(copies[:, 0], copies[:, 1])


def test_what_the_student_lends_its_teacher_drops_nothing() -> None:
    """A teacher of the shared layers alone reads the student's prenet, which trains on."""
    model = visible_model("AUDIO", own={"prenet_dropout": 0.5}, ema_encoder_only=True, attention_dropout=0.5)
    method, source = method_of(model), source_of("AUDIO")
    local = method.encoder.embed(source)
    first, second = (method.teacher_signals(source, None, local) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second))
    assert method.encoder.prenet is not None
    assert method.encoder.prenet.training


def test_the_utterances_loss_is_a_mean() -> None:  # B34
    """A batch of twice the same rows costs as much a token; the reference's costs twice as much."""
    for compat, factor in ((False, 1.0), (True, 2.0)):
        model = visible_model("IMAGE", cls_loss=0.5, clone_batch=1, reference_compat=compat)
        source = source_of("IMAGE")
        _, mask = batch_of(model, source)
        once, twice = (
            method_of(model)(source.repeat(n, 1, 1, 1), None, Mask.given(mask.indices.repeat(n, 1))) for n in (1, 2)
        )
        ratio = (twice.terms["cls"].loss / twice.sample_size) / (once.terms["cls"].loss / once.sample_size)
        assert float(ratio) == pytest.approx(factor, rel=1e-4)


@pytest.mark.parametrize(("compat", "kept"), [(False, True), (True, False)])
def test_blocks_with_norms_first_keep_their_residual(compat: bool, kept: bool) -> None:  # B5
    model = visible_model("TEXT", layer_norm_first=True, reference_compat=compat)
    block: Any = model.encoder.transformer.layers[0]
    torch.nn.init.zeros_(block.fc2.weight)
    torch.nn.init.zeros_(block.fc2.bias)
    x = torch.randn(2, 5, DIM)
    out = block(x)
    torch.testing.assert_close(out["block"], x + out["attention"] if kept else torch.zeros_like(x))


@pytest.mark.parametrize("copies", [1, COPIES])
def test_the_references_view_keeps_the_dropout_of_tokens(copies: int) -> None:
    """Its masks only change what positions are computed from."""
    model = visible_model("TEXT", own={"dropout": 0.5}, clone_batch=copies, reference_compat=True)
    inputs, _ = batch_of(model, source_of("TEXT"))
    view, seen = method_of(model).encoder.view, []
    view.register_forward_hook(lambda *call: seen.append(call[-1].x))
    assert all(bool(loss.isfinite()) for loss in model(**inputs)["losses"].values())
    (dropped,) = seen
    assert 0.3 < float((dropped == 0).float().mean()) < 0.7


def test_parts_that_do_not_fit_each_other_are_named() -> None:
    method = method_of(visible_model("TEXT"))
    method.encoder.view = MaskedView(DIM)
    with pytest.raises(ValueError, match=r"`view` is MaskedView, which keeps .* `predictor` is VisibleDecoder"):
        Data2Vec(method.config, method.encoder, method.masks, method.predictor, method.terms)


@pytest.mark.parametrize(("hidden", "message"), [(True, "nothing visible in row 0 of 6"), (False, "nothing is masked")])
def test_masks_that_leave_nothing_are_refused(hidden: bool, message: str) -> None:
    model = visible_model("TEXT")
    mask = {"indices": torch.full((2 * COPIES, 40), hidden)}
    with pytest.raises(ValueError, match=message):
        model(source_of("TEXT"), mask=mask)


def test_another_number_of_copies_is_told() -> None:
    model = visible_model("TEXT")
    with pytest.raises(ValueError, match="of each of `copies` 3"):
        model(source_of("TEXT"), mask={"indices": torch.rand(2, 40) < 0.5})


def test_a_decoders_groups_must_divide_its_channels() -> None:
    with pytest.raises(ValueError, match="`decoder_groups` is 5; expected a divisor"):
        visible_model("TEXT", own={"decoder": {**DECODER, "decoder_groups": 5}})
