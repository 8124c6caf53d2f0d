"""A recogniser goes on with the letters that it was trained on, in their order."""

from pathlib import Path
from typing import List, Optional

import pytest
import torch
from fairseq.data import Dictionary

from data2vec_plugin.tasks.data2vec_asr import AsrTaskConfig, Data2VecAsrTask


def dictionary(symbols: str) -> Dictionary:
    made = Dictionary()
    for symbol in symbols:
        made.add_symbol(symbol)
    return made


def resume(folder: Path, saved: Optional[str], symbols: str, zipped: bool = True) -> None:
    path = folder / "checkpoint_last.pt"
    state = {} if saved is None else {"target_dictionary": dictionary(saved)}
    torch.save({"task_state": state, "model": torch.zeros(9)}, path, _use_new_zipfile_serialization=zipped)
    dictionary(symbols).save(str(folder / "dict.ltr.txt"))
    Data2VecAsrTask(AsrTaskConfig(data=str(folder), labels="ltr")).check_checkpoint(str(path))


@pytest.mark.parametrize("zipped", [True, False])
def test_the_same_letters_go_on(tmp_path: Path, zipped: bool) -> None:
    resume(tmp_path, "|ETA", "|ETA", zipped)
    resume(tmp_path, None, "|ETA", zipped)


DIFFERENCES: List[List[str]] = [
    ["|EAT", "3: symbol is 'A', expected 'T'"],
    ["|ET", "4: symbol is nothing, expected 'A'"],
    ["|ETAB", "5: symbol is 'B', expected nothing"],
]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(("symbols", "words"), DIFFERENCES)
def test_others_are_refused_with_file_and_symbol(tmp_path: Path, symbols: str, words: str, zipped: bool) -> None:
    with pytest.raises(ValueError, match=rf"dict\.ltr\.txt:{words}, as in .*checkpoint_last\.pt.*--dict FILE"):
        resume(tmp_path, "|ETA", symbols, zipped)
