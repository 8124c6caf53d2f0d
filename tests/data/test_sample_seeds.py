"""The rule by which samples draw: a run's own, new for new runs, as it was for those that a checkpoint goes on with."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from data2vec_plugin.core.masks.masking import hashed_row_generator, row_generator
from data2vec_plugin.data.sample_seeds import BY_MODEL, HASHED, OWN, SampleSeeds


def test_a_new_run_has_generators_of_its_own_for_every_sample() -> None:
    seeds = SampleSeeds(3)
    assert seeds.rule == OWN
    assert seeds.of_mask(2, 7).random() == row_generator(3, 2, 7).random()
    assert seeds.of_mask(2, 7, copy=1).random() == row_generator(3, 2, 7, 1).random()


def test_a_run_of_before_goes_on_as_it_began() -> None:
    seeds = SampleSeeds(3)
    seeds.go_on(None)
    assert seeds.rule == HASHED
    assert seeds.of_mask(2, 7).random() == hashed_row_generator(3, 2, 7).random()
    seeds.go_on(OWN)
    assert seeds.rule == OWN


def test_what_a_run_began_with_may_be_the_models_own_masks() -> None:
    seeds = SampleSeeds(3, of_before=BY_MODEL)
    assert seeds.masks_are_drawn
    seeds.go_on(None)
    assert not seeds.masks_are_drawn


@pytest.mark.parametrize("rule", [OWN, HASHED])
def test_a_crop_is_not_drawn_by_the_generator_of_a_mask(rule: str) -> None:
    seeds = SampleSeeds(3)
    seeds.go_on(rule)
    masks = {seeds.of_mask(2, index, copy).random() for index in range(20) for copy in range(3)}
    assert not masks & {seeds.of_view(2, index).random() for index in range(20)}


def test_a_rule_that_is_not_known_is_told() -> None:
    with pytest.raises(ValueError, match=r"by the rule 'later'; expected one of own, hashed.*reset_dataloader=true"):
        SampleSeeds(3).go_on("later")


class Drawn(Dataset[float]):
    """What each sample's mask begins with."""

    def __init__(self, seeds: SampleSeeds) -> None:
        self.seeds = seeds

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> float:
        return self.seeds.of_mask(1, index).random()


def test_workers_that_run_already_notice_the_rule() -> None:
    seeds = SampleSeeds(3)
    loader = DataLoader(Drawn(seeds), batch_size=2, num_workers=1, persistent_workers=True)
    first = torch.cat(list(loader))
    seeds.go_on(HASHED)
    assert torch.cat(list(loader)).tolist() == [hashed_row_generator(3, 1, index).random() for index in range(4)]
    assert first.tolist() == [row_generator(3, 1, index).random() for index in range(4)]


def test_a_copy_for_another_process_has_the_rule() -> None:
    seeds = SampleSeeds(3)
    seeds.go_on(HASHED)
    assert pickle.loads(pickle.dumps(seeds)).rule == HASHED
