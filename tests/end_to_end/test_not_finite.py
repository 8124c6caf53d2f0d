"""Real runs whose gradients stop being finite end with the update, the batch and the likely knobs."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from end_to_end_commands import CONFIGS, TINY, run_many
from upstream_recipes import write_speech, write_text_binaries

pytestmark = pytest.mark.xdist_group("upstream recipes")

PICTURES = ("pretrained on pictures", "fine-tuned on pictures")
RUNS = ("pretrained on speech", "fine-tuned on speech", "pretrained on text", "fine-tuned on text", *PICTURES)
RUINOUS = ("optimization.lr=[1e30]", "checkpoint.save_interval_updates=1", "optimization.max_update=6")
TINY_TEXT = (
    *("+size/text=tiny", "model.transformer.encoder.layers=2", "model.transformer.encoder.embed_dim=32"),
    *("model.transformer.encoder.ffn_embed_dim=64", "model.average_top_k_layers=2"),
)
TINY_PICTURES = (
    *("+size/image=tiny", "task.input_size=32", "model.depth=2", "model.embed_dim=32", "model.average_top_k_layers=2"),
    *("model.num_mask_patches=9", "model.min_mask_patches_per_block=2"),
)


def ruined(folder: Path, kind: str) -> Path:
    """What a pre-training has saved by the rate that ruined it: fine-tuning that begins with it ends at once."""
    return folder / f"pretrained on {kind}" / "checkpoint_last.pt"


def on_speech(folder: Path) -> Dict[str, Tuple[str, ...]]:
    write_speech(folder / "speech")
    small = ("task.max_sample_size=8000", "task.min_sample_size=4000", "lr_scheduler.phase_ratio=[0.5,0.0,0.5]")
    start = f"model.w2v_path='{ruined(folder, 'speech')}'"
    return {
        RUNS[0]: ("audio_base", *TINY, *small, f"task.data={folder / 'speech'}", "dataset.max_tokens=32000", *RUINOUS),
        RUNS[1]: ("asr_base_10m", f"task.data={folder / 'speech'}", "dataset.max_tokens=32000", start),
    }


def on_text(folder: Path) -> Dict[str, Tuple[str, ...]]:
    data = write_text_binaries(folder / "text")
    start = (f"model.model_path='{ruined(folder, 'text')}'", "task.num_classes=2")
    return {
        RUNS[2]: ("text_base", *TINY_TEXT, "lr_scheduler.warmup_updates=1", f"task.data={data}", *RUINOUS),
        RUNS[3]: ("text_classification", "common.fp16=false", *start, f"task.data={data / 'rte'}"),
    }


def on_pictures(folder: Path) -> Dict[str, Tuple[str, ...]]:
    from images import write_tree

    for split in ("train", "val"):
        write_tree(folder / "pictures" / split, {"cat": 4, "dog": 4})
    data = (f"task.data={folder / 'pictures'}", "task.input_size=32", "dataset.batch_size=4")
    start = (f"model.model_path='{ruined(folder, 'pictures')}'", "model.num_classes=2")
    return {
        RUNS[4]: ("image_base", *TINY_PICTURES, "lr_scheduler.warmup_updates=1", *data, *RUINOUS),
        RUNS[5]: ("imagenet_base", *data, *start),
    }


def command(name: str, folder: Path, recipe: str, *words: str) -> List[str]:
    here = (f"checkpoint.save_dir='{folder / name}'", f"hydra.run.dir={folder}", "dataset.disable_validation=true")
    return ["--config-dir", CONFIGS, "--config-name", recipe, "+run=cpu", *words, *here]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Any]:
    folder = tmp_path_factory.mktemp("not_finite")
    runs = {**on_speech(folder), **on_text(folder)}
    if find_spec("torchvision"):
        runs.update(on_pictures(folder))
    return run_many({name: command(name, folder, *words) for name, words in runs.items()})


@pytest.mark.parametrize("name", RUNS)
def test_a_run_whose_gradients_are_not_finite_ends_with_advice(results: Dict[str, Any], name: str) -> None:
    if name in PICTURES:
        pytest.importorskip("torchvision")
    error = results[name]["error"]
    assert error.startswith("NonFiniteError: gradients are NaN or infinite at update ")
    assert "; batch (" in error
    assert "), samples " in error
    assert "Try a lower `optimization.lr`" in error
