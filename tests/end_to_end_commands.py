"""The README's training commands, cut down to models that train in seconds."""

import json
import tempfile
from pathlib import Path
from typing import Any, Dict, List

import forks
from speech import ROOT

CONFIGS = str(ROOT / "configs")
TINY = (
    "+size/audio=tiny",
    "model.encoder_layers=2",
    "model.encoder_embed_dim=64",
    "model.encoder_ffn_embed_dim=128",
    "model.average_top_k_layers=2",
    "model.conv_feature_layers='[(16,10,5)] + [(16,3,2)] * 4 + [(16,2,2)] * 2'",
)

LONG = ("dataset.max_tokens=160000", "task.max_sample_size=40000")
"""What the run that many tests share has instead, and whatever is compared with it."""


def pretrain_command(data: Path, folder: Path, updates: int, *overrides: str) -> List[str]:
    """The README's pre-training command, on a model that trains in seconds; a checkpoint at every third update."""
    return [
        *("fairseq-hydra-train", "--config-dir", CONFIGS, "--config-name", "audio_base", *TINY),
        *("+run=cpu", "dataset.num_workers=0", "common.log_interval=1", "common.log_format=json", f"task.data={data}"),
        *(
            "dataset.train_subset=train-unlabelled",
            "dataset.max_tokens=80000",
            "task.max_sample_size=20000",
            "task.min_sample_size=8000",
        ),
        *(f"optimization.max_update={updates}", f"checkpoint.save_dir={folder}"),
        *(
            "lr_scheduler.phase_ratio=[0.5,0.0,0.5]",
            "checkpoint.save_interval_updates=3",
            *overrides,
        ),
    ]


def noise_command(data: Path, folder: Path, updates: int, *overrides: str) -> List[str]:
    """Updates of two micro-batches of two clips of `write_speech`; nothing is saved before the end, or validated."""
    return [
        *("--config-dir", CONFIGS, "--config-name", "audio_base", *TINY, "+run=cpu", f"task.data={data}"),
        *("dataset.max_tokens=16000", "dataset.required_batch_size_multiple=1", "optimization.update_freq=[2]"),
        *("task.max_sample_size=8000", "task.min_sample_size=4000", "lr_scheduler.phase_ratio=[0.5,0.0,0.5]"),
        *("dataset.disable_validation=true", "common.log_interval=1", f"optimization.max_update={updates}"),
        *("checkpoint.save_interval_updates=100", f"checkpoint.save_dir={folder}", f"hydra.run.dir={data}"),
        *overrides,
    ]


def finetune_command(data: Path, folder: Path, pretrained: Path, *overrides: str) -> List[str]:
    """The README's fine-tuning command, cut down in the same way."""
    return [
        *(
            "fairseq-hydra-train",
            "--config-dir",
            CONFIGS,
            "--config-name",
            "asr_base_10m",
            "+run=cpu",
        ),
        *("dataset.num_workers=0", "common.log_interval=1", "common.log_format=json", f"task.data={data}"),
        *(
            "dataset.train_subset=train-labelled",
            "dataset.valid_subset=valid",
            "dataset.max_tokens=160000",
        ),
        *(
            f"model.w2v_path={pretrained}",
            f"checkpoint.save_dir={folder}",
            "optimization.max_update=2",
        ),
        *("lr_scheduler.phase_ratio=[0.5,0.0,0.5]", "dataset.validate_after_updates=0", *overrides),
    ]


def run_many(runs: Dict[str, List[str]]) -> Dict[str, Any]:
    """What became of runs that one process makes one after another, by the command's own function."""
    script = Path(__file__).parent / "end_to_end" / "many_runs.py"
    with tempfile.NamedTemporaryFile("w") as listed:
        listed.writelines(json.dumps(words) + "\n" for words in runs.values())
        listed.flush()
        printed = forks.python([str(script), listed.name], imported="plugin").stdout
    said = [json.loads(line[len("RESULT ") :]) for line in printed.splitlines() if line.startswith("RESULT ")]
    assert len(said) == len(runs)
    return dict(zip(runs, said))
