"""Arguments of a fine-tuned model of years ago, which hold those of its pre-training."""

from __future__ import annotations

from argparse import Namespace

import pytest

utils = pytest.importorskip("fairseq.dataclass.utils")


def arguments() -> Namespace:
    inner = Namespace(arch="wav2vec2", task="audio_pretraining", data="/gone", encoder_layers=3, final_dim=8)
    return Namespace(arch="wav2vec_ctc", task="audio_finetuning", data="/here", labels="ltr", w2v_args=inner)


def test_inner_arguments_become_a_configuration_of_their_own() -> None:
    cfg = utils.convert_namespace_to_omegaconf(arguments())
    assert (cfg.model._name, cfg.task.data) == ("wav2vec_ctc", "/here")
    inner = cfg.model.w2v_args
    assert (inner.model._name, inner.model.encoder_layers, inner.task.data) == ("wav2vec2", 3, "/gone")


def test_arguments_without_any_within_go_fairseqs_way() -> None:
    args = arguments().w2v_args
    assert utils.convert_namespace_to_omegaconf(args).model.final_dim == 8
    assert args.encoder_layers == 3
