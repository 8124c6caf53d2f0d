"""The teacher: one step per update, an fp32 master, and the same after a resume as without one."""

from __future__ import annotations

import copy
from typing import Dict, List, Sequence

import pytest
import torch
from torch import Tensor, nn

from data2vec_plugin.core.config import TeacherConfig
from data2vec_plugin.core.teacher import FORMAT_KEY, UPDATES_KEY, Teacher

CONFIG = TeacherConfig(decay=0.9, end_decay=0.99, anneal_end_step=10)


def student(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))


def drift(module: nn.Module, seed: int) -> None:
    """What an optimiser would do."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data += torch.randn(parameter.shape, generator=generator).to(parameter)


def train(
    teacher: Teacher, module: nn.Module, updates: Sequence[int], micro_batches: int = 1
) -> List[Dict[str, Tensor]]:
    """fairseq's order: n finished updates are announced before each micro-batch, then the student moves."""
    states = []
    for n in updates:
        for _ in range(micro_batches):
            teacher.follow(module, n)
        states.append(copy.deepcopy(teacher.state_dict()))
        drift(module, n)
    return states


def assert_same(left: Dict[str, Tensor], right: Dict[str, Tensor]) -> None:
    assert left.keys() == right.keys()
    for key, value in left.items():
        assert torch.equal(value, right[key]), key


def test_a_deep_copy_encodes_with_what_it_follows() -> None:
    module = student()
    copied = copy.deepcopy(Teacher(module, CONFIG))
    drift(module, 1)
    assert copied.follow(module, 1)
    for name, parameter in copied.module.named_parameters():
        assert torch.equal(parameter.data, copied.fp32[name])


def test_step_is_the_weighted_mean() -> None:
    module = student()
    teacher = Teacher(module, CONFIG)
    before = copy.deepcopy(teacher.fp32)
    drift(module, 1)
    assert teacher.follow(module, 1)
    assert teacher.decay == pytest.approx(0.909)
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(
            teacher.fp32[name], before[name] * 0.909 + parameter.data * 0.091, rtol=1e-6, atol=1e-6
        )
        torch.testing.assert_close(dict(teacher.module.named_parameters())[name].data, teacher.fp32[name])


@pytest.mark.parametrize("micro_batches", [2, 4])
def test_micro_batches_do_not_add_steps(micro_batches: int) -> None:  # B26
    one, many = student(), student()
    first = train(Teacher(one, CONFIG), one, range(5))
    assert_same(first[-1], train(Teacher(many, CONFIG), many, range(5), micro_batches)[-1])


def test_an_update_repeated_after_an_overflow_does_not_add_a_step() -> None:  # B26
    module = student()
    teacher = Teacher(module, CONFIG)
    drift(module, 0)
    assert teacher.follow(module, 1)
    before = copy.deepcopy(teacher.state_dict())
    drift(module, 1)
    assert not teacher.follow(module, 1)
    assert_same(before, teacher.state_dict())


def test_a_jump_is_one_step_at_the_decay_of_its_update() -> None:
    module = student()
    teacher = Teacher(module, CONFIG)
    drift(module, 0)
    assert teacher.follow(module, 7)
    assert (teacher.num_updates, teacher.decay) == (7, pytest.approx(0.9 + 0.09 * 0.7))


@pytest.mark.parametrize("with_count", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_resumed_is_unbroken_to_the_digit(with_count: bool, dtype: torch.dtype) -> None:  # B26
    """A checkpoint after update 3 owes the teacher the step that the start of the next update takes."""
    module = student().to(dtype)
    unbroken = train(Teacher(module, CONFIG), module, range(6))
    module = student().to(dtype)
    saved = train(Teacher(module, CONFIG), module, range(3))[-1]
    if not with_count:  # as the reference saves it
        saved = {key: value for key, value in saved.items() if key not in (UPDATES_KEY, FORMAT_KEY)}
    resumed = Teacher(student(9).to(dtype), CONFIG, num_updates=3)
    resumed.load_state_dict(saved, fallback_updates=2)
    states = train(resumed, module, range(3, 6))
    assert_same(unbroken[-1], states[-1])
    assert_same(unbroken[3], states[0])


def test_a_new_run_from_a_teacher_counts_from_its_own_start() -> None:
    module = student()
    teacher = Teacher(module, CONFIG)
    teacher.load_state_dict({**teacher.state_dict(), UPDATES_KEY: torch.tensor(400_000)})
    before = copy.deepcopy(teacher.fp32)
    drift(module, 0)
    assert not teacher.follow(module, 0)
    assert_same(before, teacher.fp32)
    assert teacher.follow(module, 1)
    assert teacher.decay == pytest.approx(0.909)
    assert not torch.equal(teacher.fp32["0.weight"], before["0.weight"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_master_stays_in_fp32_when_the_student_does_not(dtype: torch.dtype) -> None:
    module = student()
    teacher = Teacher(module, TeacherConfig(decay=0.9999, end_decay=0.9999))
    module.to(dtype)
    for n in range(1, 6):
        drift(module, n)
        teacher.follow(module, n)
    parameters = dict(teacher.module.named_parameters())
    for name, master in teacher.fp32.items():
        assert master.dtype == torch.float32
        assert parameters[name].dtype == dtype
        assert torch.equal(parameters[name].data, master.to(dtype))
    assert not torch.equal(teacher.fp32["0.weight"], teacher.fp32["0.weight"].to(dtype).float())


def test_teacher_starts_as_the_student_and_apart_from_it() -> None:
    module = student()
    teacher = Teacher(module, CONFIG)
    for name, parameter in module.named_parameters():
        assert torch.equal(teacher.fp32[name], parameter.data)
        assert teacher.fp32[name].data_ptr() != parameter.data_ptr()


def test_fp32_module_shares_its_memory_with_the_master() -> None:
    teacher = Teacher(student(), CONFIG)
    teacher.match(student().half())
    teacher.match(student())
    for name, parameter in teacher.module.named_parameters():
        assert parameter.data_ptr() == teacher.fp32[name].data_ptr()


def test_teacher_moves_with_the_student() -> None:
    teacher = Teacher(student(), CONFIG)
    teacher.match(student().to("meta"))
    assert {p.device.type for p in (*teacher.module.parameters(), *teacher.fp32.values())} == {"meta"}


def test_buffers_follow() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    teacher = Teacher(module, CONFIG)
    module[1].running_mean.fill_(3)  # type: ignore[union-attr,operator]
    teacher.follow(module, 1)
    assert torch.equal(dict(teacher.module.named_buffers())["1.running_mean"], torch.full((2,), 3.0))


def test_frozen_and_named_parameters_are_copied() -> None:
    module = student()
    teacher = Teacher(module, CONFIG, copied=("1.",))
    module[0].bias.requires_grad_(False)
    drift(module, 0)
    teacher.follow(module, 1)
    for name in ("0.bias", "1.weight", "1.bias"):
        assert torch.equal(teacher.fp32[name], dict(module.named_parameters())[name].data)
    assert not torch.equal(teacher.fp32["0.weight"], module[0].weight.data)


def test_teacher_takes_no_gradient_and_does_not_drop_out() -> None:
    teacher = Teacher(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)).train(), CONFIG)
    assert not teacher.module.training
    assert not any(parameter.requires_grad for parameter in teacher.module.parameters())


def test_decay_of_one_leaves_the_teacher_alone() -> None:
    module = student()
    teacher = Teacher(module, TeacherConfig(decay=1.0, end_decay=1.0))
    before = copy.deepcopy(teacher.fp32)
    drift(module, 0)
    teacher.follow(module, 1)
    assert_same(before, teacher.fp32)


@pytest.mark.parametrize("broken", ["missing", "shape"])
def test_entry_of_another_model_is_refused(broken: str) -> None:
    teacher = Teacher(student(), CONFIG)
    state = teacher.state_dict()
    state["0.weight"] = torch.zeros(2, 2)
    if broken == "missing":
        del state["0.weight"]
    with pytest.raises(ValueError, match=r"the teacher's `0.weight` is .* expected shape \(4, 3\)"):
        teacher.load_state_dict(state)


def test_unknown_scope_is_refused() -> None:
    with pytest.raises(ValueError, match="'heads'; expected one of blocks, layers, encoder"):
        TeacherConfig(scope="heads")
