"""Raw clips -> predictions of a trained `mtag`, for `data2vec multimodal predict`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Dict, Iterator, List, Optional, Sequence

import torch
from torch import Tensor

from ..checkpoints.trained_run import TrainedRun, load_run
from ..data.multimodal.sample_folders import Moments
from ..data.multimodal.samples import MultimodalDataset, Split
from ..features.encode import chosen_device
from ..features.settings import difference, read_settings
from ..files.multimodal.clip_tables import ClipTable, read_clips
from ..files.multimodal.sequences import read_stats
from ..files.unusable import UnusableFileError
from .clip_samples import ENCODERS, STREAMS, Encoded, make_all, settings_of, write_split
from .predictions import Predictions, check_ending, write_predictions
from .streams import Stream, Wanted, open_streams

MODEL, RECIPES = "mtag", "configs/mtag_*.yaml"
CLIPS = "clips"
BATCH = 32


@dataclass(frozen=True)
class Asked:
    """The user's request; see `data2vec multimodal predict --help`."""

    run: Path
    table: Path
    out: Path
    wanted: Wanted
    features: Optional[Path] = None
    data: Optional[Path] = None


def predict(asked: Asked) -> bool:
    """Write the predictions and print a summary; False if more files were bad than ``--bad-limit``.

    Raises ValueError for a run, a table or encoders that are unusable or do not match each other.
    """
    check_ending(asked.out)
    table = read_clips(asked.table)
    trained = load_run(asked.run, MODEL, RECIPES, {"data": str(asked.data) if asked.data else None})
    dims: Dict[str, int] = dict(trained.model.graph.config.dims)
    used = chosen_streams(trained, table, asked.wanted)
    with kept_or_passing(asked.features) as folder:
        streams = open_streams(asked.wanted, used, table.path, folder / STREAMS)
        check_widths(trained, dims, streams)
        check_made_alike(trained, streams)
        if not make_all(streams, [table]):
            return False
        encoded = write_split(table, streams, folder, CLIPS, Moments())
        found = predictions_of(trained, folder, encoded, chosen_device(asked.wanted.device))
    write_predictions(asked.out, found)
    print(f"{table.path}: {encoded.summary()}\n{asked.out}: {found.summary()}")
    return True


def chosen_streams(trained: TrainedRun, table: ClipTable, wanted: Wanted) -> List[str]:
    """The streams that a run uses and a table has; raises ValueError for one without an encoder, or for none."""
    looked_at = list(trained.model.graph.config.dims)
    used = [name for name in looked_at if name in table.modalities]
    if not used:
        raise UnusableFileError.of(
            table.path,
            f"columns are {', '.join(table.modalities)}, but {trained.path} uses {', '.join(looked_at)}; "
            f"expected at least one of these",
        )
    lacking = [name for name in used if name not in wanted.encoders]
    if lacking:
        options = " and ".join(f"`--{name} CHECKPOINT`" for name in lacking)
        raise ValueError(f"{trained.path} uses {' and '.join(lacking)}, which {table.path} has; give {options}")
    for name in looked_at:
        if name not in used:
            print(f"{table.path} has no column `{name}`, which {trained.path} uses: it is missing for all clips")
    for name in sorted({*table.modalities, *wanted.encoders} - set(looked_at)):
        print(f"`{name}` is ignored: {trained.path} does not use it")
    return used


@contextmanager
def kept_or_passing(folder: Optional[Path]) -> Iterator[Path]:
    """A folder for features; a temporary one unless the user gave one."""
    if folder is not None:
        yield folder
        return
    with TemporaryDirectory() as name:
        yield Path(name)


def check_widths(trained: TrainedRun, dims: Dict[str, int], streams: Dict[str, Stream]) -> None:
    """Raise ValueError, naming all of them, for encoders of another width than those a run was trained with."""
    wrong = [
        f"`--{name}` {stream.job.checkpoint} has {stream.channels} channels, but the run expects {dims[name]}"
        for name, stream in streams.items()
        if stream.channels != dims[name]
    ]
    if wrong:
        raise ValueError(f"{trained.path}: {'; '.join(wrong)}; give the encoders whose features it was trained on")


def check_made_alike(trained: TrainedRun, streams: Dict[str, Stream]) -> None:
    """Raise ValueError if the folder of a run's training data records other settings of the features."""
    path = Path(str(trained.task.cfg.data)) / ENCODERS
    if not path.is_file():
        print(f"{path} is missing, so that the settings of the features cannot be compared with those of training")
        return
    kept = {key: value for key, value in read_settings(path).items() if key.split(".")[0] in streams}
    changed = difference(kept, settings_of(streams))
    if changed:
        raise ValueError(f"{path.parent}, which {trained.path} was trained on, was made with other settings: {changed}")


def predictions_of(trained: TrainedRun, folder: Path, encoded: Encoded, device: torch.device) -> Predictions:
    """Predictions of the samples in a folder, in the table's order."""
    task, table = trained.task, encoded.table
    modalities: Sequence[str] = task.modalities
    split = labelled_split(trained, folder, encoded)
    stats = read_stats(Path(str(task.cfg.data)), modalities) if task.cfg.normalize else None
    dataset = MultimodalDataset(split, task.target, modalities, max_edges=task.cfg.max_edges, stats=stats)
    model = trained.model.to(device)
    outputs: List[Tensor] = []
    with torch.inference_mode():
        for batch in dataset.batch_by_size(dataset.ordered_indices(), max_sentences=BATCH):
            net_input = dataset.collater([dataset[int(index)] for index in batch])["net_input"]
            features = {name: x.to(device) for name, x in net_input["modalities"].items()}
            outputs.append(model(features, net_input["frames"]).float().cpu())
    names = [clip.name for clip in encoded.kept]
    without = dict(encoded.without)
    return Predictions(
        names=names,
        outputs=torch.cat(outputs).numpy(),
        emotions=list(task.emotions),
        labels=split.labels,
        clips=len(table.clips),
        dropped=encoded.dropped,
        left_out=encoded.bad,
        without=without,
        run=str(trained.path),
        num_updates=trained.num_updates,
    )


def labelled_split(trained: TrainedRun, folder: Path, encoded: Encoded) -> Split:
    """The samples, with the table's labels if it has any; raises UnusableFileError, naming the table's line."""
    table = encoded.table
    try:
        return Split.of(folder, CLIPS, trained.task.target, trained.task.modalities, labelled=table.labelled)
    except UnusableFileError as error:
        if error.line is None or not error.path.endswith(".label"):
            raise
        raise UnusableFileError.of(table.path, error.fault, encoded.kept[error.line - 1].line) from error
