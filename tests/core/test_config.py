"""Settings that cannot train are refused before anything is computed."""

import pytest

from data2vec_plugin.core.config import Data2VecConfig, SettingError, SpanMaskConfig, TargetConfig, TransformerConfig
from data2vec_plugin.core.masks.masking import SpanMasker, row_generator


@pytest.mark.parametrize(
    "config",
    [SpanMaskConfig(), SpanMaskConfig(prob=0.3, length=5), SpanMaskConfig(prob=0.4, length=4, no_overlap=True)],
)
def test_expected_share_is_what_is_drawn(config: SpanMaskConfig) -> None:
    rows = SpanMasker(config).rows([3000] * 8, 3000, [row_generator(1, 1, index) for index in range(8)])
    assert rows.mean() == pytest.approx(config.expected_share(), abs=0.02)


@pytest.mark.parametrize(
    ("mask", "hidden"),
    [
        (SpanMaskConfig(prob=0.0), "0 %"),
        (SpanMaskConfig(prob=3.5), "98.7 %"),
        (SpanMaskConfig(prob=1.0, no_overlap=True), "100 %"),
    ],
)
def test_masks_that_hide_nothing_or_everything_are_refused(mask: SpanMaskConfig, hidden: str) -> None:
    with pytest.raises(ValueError, match=rf"`prob` is {mask.prob}, .* hides {hidden} of the input; expected 1 to 95 %"):
        Data2VecConfig(mask=mask).check_pretraining()


def test_more_target_layers_than_layers_are_refused() -> None:
    config = Data2VecConfig(transformer=TransformerConfig(layers=4), targets=TargetConfig(top_k=5))
    with pytest.raises(ValueError, match="`top_k` is 5, but the encoder has 4 layers"):
        config.check_pretraining()


def test_the_published_settings_pass() -> None:
    Data2VecConfig().check_pretraining()


def test_a_setting_is_told_by_the_keys_of_whoever_took_it_from_a_user() -> None:
    error = SettingError("prob", "3.5, which with `length` 10 hides 98 %", "less than `other`")
    assert str(error) == "`prob` is 3.5, which with `length` 10 hides 98 %; expected less than `other`"
    told = error.by_keys({"prob": "model.mask_prob", "length": "model.mask_length"})
    assert (
        str(told)
        == "`model.mask_prob` is 3.5, which with `model.mask_length` 10 hides 98 %; expected less than `other`"
    )
    assert told.field == "model.mask_prob"
