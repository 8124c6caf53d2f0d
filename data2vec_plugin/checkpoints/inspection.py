"""Descriptions of checkpoints, as text or JSON, with commands for their next use; nothing in them is run."""

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Tuple

from ..interop.identify import MULTI
from ..runs.tables import Row, print_table
from .summary import summarise

SHOWN_PATHS = 4
USUAL_LABELS = "ltr"
"""The default of task `data2vec_asr`."""

NEXT: Dict[Tuple[str, str], Tuple[str, ...]] = {
    ("pretrained", "speech"): (
        "data2vec features {file} --input CLIPS --out features",
        "fairseq-hydra-train --config-dir configs --config-name {recognition} model.w2v_path={file} task.data=DATA",
    ),
    ("fine-tuned", "speech"): (
        "data2vec transcribe {file} RECORDINGS",
        "fairseq-generate DATA --user-dir data2vec_plugin --task data2vec_asr --path {file} --scoring data2vec_asr "
        "--gen-subset SPLIT --max-tokens 4000000{asr}",
        "data2vec features {file} --input CLIPS --out features",
    ),
    ("pretrained", "text"): (
        "data2vec features {file} --input LINES --out features",
        "fairseq-hydra-train --config-dir configs --config-name text_classification model.model_path={file} "
        "task.data=DATA",
    ),
    ("fine-tuned", "text"): ("data2vec features {file} --input LINES --out features",),
    ("pretrained", "image"): (
        "data2vec features {file} --input PICTURES --out features",
        "fairseq-hydra-train --config-dir configs --config-name {pictures} model.model_path={file} task.data=DATA",
    ),
    ("fine-tuned", "image"): (
        "fairseq-validate DATA --user-dir data2vec_plugin --task image_classification --path {file} --valid-subset val "
        "--batch-size 128",
        "data2vec features {file} --input PICTURES --out features",
    ),
    ("onnx-ctc", "speech"): ("data2vec transcribe {file} RECORDINGS",),
}
"""Commands that use a checkpoint, by its kind and modality."""
RECIPES = {"recognition": "asr_base_100h", "pictures": "imagenet_base"}
RECIPES_2 = {"recognition": "asr2_100h", "pictures": "imagenet2_base"}
"""Recipes that start from data2vec 1, and from data2vec 2.0; one recipe of text serves both."""


def inspect(paths: Iterable[Path], as_json: bool) -> bool:
    """Print what each file is, and to stderr which cannot be read or could run code; return whether all were read."""
    show: Callable[[Dict[str, Any]], None] = show_json if as_json else show_table
    readable = True
    for path in paths:
        try:
            if not path.exists():
                raise ValueError(f"{path} does not exist")
            facts = asdict(summarise(path))
        except (ValueError, OSError) as error:
            print(f"data2vec inspect: {error}", file=sys.stderr)
            readable = False
            continue
        show({**facts, "next": next_steps(facts)})
    return readable


def next_steps(facts: Dict[str, Any]) -> List[str]:
    """Commands for a checkpoint of this kind."""
    recipes = RECIPES_2 if facts.get("encoder") == MULTI else RECIPES
    filled = {"file": shlex.quote(facts["file"]), "asr": as_trained(facts), **recipes}
    steps: Iterable[str] = NEXT.get((facts["kind"], facts["modality"]), ())
    modalities = facts.get("modalities", ())
    if len(modalities) > 1:
        steps = (f"data2vec features {{file}} --modality {name} --input FILES --out {name}" for name in modalities)
    return [step.format(**filled) for step in steps]


def as_trained(facts: Dict[str, Any]) -> str:
    """Return options of `fairseq-generate` with which a recogniser reads its own labels and joins symbols to words."""
    labels, post_process = facts.get("labels"), facts.get("post_process")
    unusual = f" --labels {shlex.quote(labels)}" if labels and labels != USUAL_LABELS else ""
    return unusual + (f" --post-process {post_process}" if post_process else "")


def show_json(facts: Dict[str, Any]) -> None:
    """Print the facts as a line of JSON."""
    print(json.dumps(facts, ensure_ascii=False))


def show_table(facts: Dict[str, Any]) -> None:
    """Print the known facts of a file as a table, then commands for it."""
    print_table(facts["file"], ("fact", "value"), [(name, text) for name, text in rows(facts) if text])
    for step in facts["next"]:
        print(f"  {step}")


def rows(facts: Dict[str, Any]) -> List[Row]:
    """Return names and values; the value of an unknown fact is empty."""
    size = " × ".join(
        f"{facts[key]:,} {name}"
        for key, name in (("layers", "layers"), ("width", "channels"), ("heads", "heads"))
        if facts[key]
    )
    megabytes = f"{facts['bytes'] / 1e6:,.1f} MB"
    return [
        ("is", facts["words"] + (f"; {facts['advice']}" if facts["advice"] else "")),
        ("size", size),
        ("weights", f"{facts['parameters']:,} in {facts['precision']}" if facts["parameters"] else ""),
        ("file", megabytes),
        ("task", facts["task"]),
        ("trained", trained(facts)),
        ("normalize", "" if facts["normalize"] is None else str(facts["normalize"]).lower()),
        ("sample rate", counted(facts["sample_rate"], " Hz")),
        ("symbols", counted(facts["symbols"], "")),
        ("teacher", teacher(facts)),
        ("optimizer", facts["optimizer"] or ("not in the file" if facts["updates"] is not None else "")),
        ("fine-tuned from", facts["fine_tuned_from"] or ""),
        ("operators", counted(facts["opset"], "", "ONNX opset ")),
        ("exported from", facts["exported_from"] or ""),
        ("written by", facts["written_by"]),
        ("missing paths", missing(facts)),
    ]


def trained(facts: Dict[str, Any]) -> str:
    """Return how many updates and epochs the model was trained for; empty if unknown."""
    return ", ".join(filter(None, (counted(facts["updates"], " updates"), counted(facts["epoch"], "", "epoch "))))


def teacher(facts: Dict[str, Any]) -> str:
    """Return whether the file holds a teacher, and how many updates it has followed; empty if none is expected."""
    if not facts["teacher"]:
        return "not in the file" if facts["kind"] == "pretrained" else ""
    return "in the file" + counted(facts["teacher_updates"], " updates", ", has followed ")


def counted(number: Any, unit: str, before: str = "") -> str:
    """Return a number with its unit; empty for None."""
    return "" if number is None else f"{before}{number:,}{unit}"


def missing(facts: Dict[str, Any]) -> str:
    """Return the first few paths in the configuration that do not exist here, with a note on which are needed."""
    paths: List[str] = facts["missing_paths"]
    if not paths:
        return ""
    more = [f"and {len(paths) - SHOWN_PATHS} more"] if len(paths) > SHOWN_PATHS else []
    needed = "only the dict.txt in `task.data` is needed" if facts["modality"] == "text" else "none is needed"
    return "\n".join([*paths[:SHOWN_PATHS], *more, f"({needed})"])
