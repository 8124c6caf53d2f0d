"""Mixup and CutMix: shares, boxes, labels, and whose random numbers they are."""

from __future__ import annotations

from typing import List

import pytest
import torch
import torch.nn.functional as F

from data2vec_plugin.models.classification.mixing import (
    MixingConfig,
    Mixture,
    cut,
    draw_mixture,
    smoothed,
    soft_cross_entropy,
)

SIZE = (8, 12)


def batch(count: int) -> torch.Tensor:
    """Images of one value each: 0, 1, 2, …"""
    return torch.arange(count, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 3, *SIZE)


def drawn(config: MixingConfig, count: int = 400) -> List[Mixture]:
    torch.manual_seed(0)
    return [draw_mixture(config, SIZE) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_mixup_mixes_each_image_with_its_neighbour(count: int) -> None:
    mixed = Mixture(0.75).images(batch(count))
    wanted = [0.75 * i + 0.25 * ((i - 1) % count) for i in range(count)]
    assert mixed[:, 1, 2, 3].tolist() == pytest.approx(wanted)
    assert (mixed == mixed[:, :1, :1, :1]).all()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_cutmix_puts_a_box_of_the_neighbour_in(count: int) -> None:
    mixture = Mixture(0.9, (slice(2, 4), slice(5, 12)))
    images = batch(count).contiguous()
    mixed = mixture.images(images)
    assert (mixed[:, :, 2:4, 5:12] == images.roll(1, 0)[:, :, 2:4, 5:12]).all()
    mixed[:, :, 2:4, 5:12] = images[:, :, 2:4, 5:12]
    assert torch.equal(mixed, images)
    assert torch.equal(images, batch(count)), "the caller's images stay as they are"


def test_labels_are_mixed_as_the_images_are() -> None:
    targets = smoothed(torch.tensor([2, 0, 1]), 4, 0.2)
    torch.testing.assert_close(targets[0], torch.tensor([0.05, 0.05, 0.85, 0.05]))
    mixed = Mixture(0.7).targets(targets)
    torch.testing.assert_close(mixed[1], 0.7 * targets[1] + 0.3 * targets[0])
    torch.testing.assert_close(mixed.sum(1), torch.ones(3))


def test_an_unmixed_batch_is_the_same_batch() -> None:
    images, targets = batch(3), smoothed(torch.tensor([0, 1, 0]), 2, 0.1)
    assert Mixture().images(images) is images
    assert Mixture().targets(targets) is targets


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_unmixed_labels_give_torchs_own_loss(smoothing: float) -> None:
    logits, labels = torch.randn(6, 5), torch.tensor([0, 4, 2, 2, 1, 3])
    ours = soft_cross_entropy(logits, smoothed(labels, 5, smoothing))
    torch.testing.assert_close(ours, F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing))


def test_half_precision_is_summed_in_full() -> None:
    logits, targets = torch.randn(4, 1000), smoothed(torch.arange(4), 1000, 0.1)
    loss = soft_cross_entropy(logits.half(), targets)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, soft_cross_entropy(logits, targets), rtol=1e-3, atol=1e-3)
    assert Mixture(0.3).images(batch(2).half()).dtype == torch.float16


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.97, 1.0])
def test_a_box_is_inside_and_its_area_is_the_neighbours_share(share: float) -> None:
    torch.manual_seed(1)
    for _ in range(50):
        mixture = cut(share, SIZE)
        assert mixture.box is not None
        sides = [side.stop - side.start for side in mixture.box]
        assert all(0 <= side.start <= side.stop <= length for side, length in zip(mixture.box, SIZE))
        assert mixture.share == pytest.approx(1 - sides[0] * sides[1] / (SIZE[0] * SIZE[1]))
        assert mixture.share >= share - 1e-9


def test_both_kinds_are_drawn_as_often_as_is_asked() -> None:
    mixtures = drawn(MixingConfig(0.8, 1.0, prob=0.8, switch_prob=0.25), 1000)
    boxes = sum(mixture.box is not None for mixture in mixtures)
    mixups = sum(mixture.box is None and mixture.share < 1 for mixture in mixtures)
    assert (boxes / 1000, mixups / 1000) == pytest.approx((0.2, 0.6), abs=0.04)


def test_shares_are_those_of_the_beta_distribution() -> None:
    shares = torch.tensor([mixture.share for mixture in drawn(MixingConfig(0.8, 0.0), 2000)])
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(shares.var()) == pytest.approx(1 / (4 * (2 * 0.8 + 1)), abs=0.01)


@pytest.mark.parametrize(
    ("config", "boxes", "mixed"),
    [
        (MixingConfig(0.8, 0.0), False, True),
        (MixingConfig(0.0, 1.0), True, True),
        (MixingConfig(0.0, 0.0), False, False),
        (MixingConfig(prob=0.0), False, False),
    ],
)
def test_a_kind_can_be_turned_off(config: MixingConfig, boxes: bool, mixed: bool) -> None:
    mixtures = drawn(config, 20)
    assert all((mixture.box is not None) == boxes for mixture in mixtures)
    assert any(mixture.share < 1 for mixture in mixtures) == mixed == config.mixes


def test_draws_follow_torchs_generator_of_the_cpu() -> None:
    assert drawn(MixingConfig(), 20) == drawn(MixingConfig(), 20)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"mixup": -1.0}, r"`model\.mixup` is -1\.0; expected 0 \(never\) or more"),
        ({"cutmix": -0.5}, r"`model\.cutmix` is -0\.5"),
        ({"prob": 1.5}, r"`model\.mixup_prob` is 1\.5; expected a probability"),
        ({"switch_prob": -0.1}, r"`model\.mixup_switch_prob` is -0\.1"),
    ],
)
def test_values_out_of_range_are_refused(keys: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MixingConfig(**keys)
