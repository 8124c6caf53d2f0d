"""Tables of small raw clips, encoders of a few channels for their streams, and an `mtag` on these."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np
import torch
from features.made import speech_checkpoint, text_checkpoint
from models.tiny import DIM
from models.tiny_text import trainer_state
from omegaconf import OmegaConf
from speech import write_clip

from data2vec_plugin.cli.main import main
from data2vec_plugin.models.mtag import MTAGModel, MTAGModelConfig

COLUMNS = ("id", "vision", "text", "audio", "label")
ROWS = (  # all there is, a picture alone, no text, nothing, a list of frames
    ("whole", "frames", "w1 w2 w3", "a.wav", "1"),
    ("picture", "0.png", "", "", "0"),
    ("silent words", "", "w4 w5", "", "2"),
    ("nothing", "", "", "", "1"),
    ("listed", "frames.txt", "w1 w2 w3", "b.wav", "0"),
)
SAMPLES = {"a.wav": 2000, "b.wav": 900}


def write_table(path: Path, rows: Sequence[Sequence[str]], columns: Sequence[str] = COLUMNS) -> Path:
    path.write_text("".join("\t".join(row) + "\n" for row in (columns, *rows)))
    return path


def write_clips(folder: Path) -> Path:
    """A folder with ``train.tsv`` of all kinds of rows; pictures only where Pillow and scikit-learn are."""
    from images import photograph

    (folder / "frames").mkdir(parents=True)
    for number in range(3):
        photograph(number).save(folder / "frames" / f"{number}.png")
    photograph(3).save(folder / "0.png")
    (folder / "frames.txt").write_text("0.png\nframes/1.png\n")
    for name, size in SAMPLES.items():
        write_clip(folder / name, size, seed=size)
    write_table(folder / "train.tsv", ROWS)
    return folder


def write_stream_encoders(folder: Path, vision: bool = True) -> Dict[str, Path]:
    """A checkpoint for each stream, DIM wide."""
    paths = {name: folder / name / "model.pt" for name in ("vision", "text", "audio")}
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    speech_checkpoint(paths["audio"])
    text_checkpoint(paths["text"])
    if not vision:
        return {name: path for name, path in paths.items() if name != "vision"}
    from models.tiny_vision import section, tiny_vision

    state = trainer_state({"model": section(), "task": {"_name": "image_pretraining"}}, tiny_vision().state_dict())
    torch.save(state, paths["vision"])
    return paths


def options(encoders: Dict[str, Path]) -> List[str]:
    words = [f"--{name}={path}" for name, path in encoders.items()]
    return [*words, "--device=cpu", *(["--symbols"] if "text" in encoders else [])]


def write_run(path: Path, data: Path, modalities: str = "vision,text,audio", dim: int = DIM, **task: Any) -> Path:
    """A checkpoint of `mtag` as a training on ``data`` saves it; three classes, or a number with ``target``."""
    outputs = 1 if task.get("target") == "regression" else 3
    dims = {f"{name}_dim": dim for name in modalities.split(",")}
    cfg = MTAGModelConfig(_name="mtag", dim=8, heads=2, layers=2, modalities=modalities, outputs=outputs, **dims)
    torch.manual_seed(0)
    model = MTAGModel(cfg)
    keys = {"_name": "unaligned_multimodal", "data": str(data), "target": "emotions", "emotions": "sum", "classes": 3}
    sections = {"model": OmegaConf.to_container(OmegaConf.structured(cfg)), "task": {**keys, **task}}
    sections["task"].update(train_split="train", seed=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(trainer_state(sections, model.state_dict()), path)
    return path


def multimodal(*words: object) -> int:
    """The command's exit code."""
    return main(["multimodal", *map(str, words)])


def features_of(data: Path, split: str, number: int) -> Dict[str, np.ndarray]:
    """What was written of a clip."""
    with np.load(data / "features" / split / f"{number:06d}.npz") as arrays:
        return dict(arrays)
