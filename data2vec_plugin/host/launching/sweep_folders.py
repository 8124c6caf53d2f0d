"""Jobs of a sweep must not save into one folder: the second would resume from the first one's checkpoint."""

import functools
import os
import sys
from types import ModuleType
from typing import Any, Dict, List, Optional, Sequence

from .ours import asks_for_us, is_ours


def keep_apart(module: ModuleType) -> bool:
    """Compares the folders of all jobs where hydra composes them, before the first begins, whatever launches them."""
    sweeper = module.Sweeper  # type: ignore[attr-defined]
    stock = sweeper.validate_batch_is_legal

    @functools.wraps(stock)
    def validate_batch_is_legal(self: Any, batch: Sequence[Sequence[str]]) -> None:
        stock(self, batch)
        if "fairseq" in sys.modules and _may_be_ours(self.config, batch):
            if not hasattr(self, "_save_folders"):
                self._save_folders = _SaveFolders()
            self._save_folders.compare(self, batch)

    sweeper.validate_batch_is_legal = validate_batch_is_legal
    return True


def _may_be_ours(config: Any, batch: Sequence[Sequence[str]]) -> bool:
    """Whether to compose the jobs at all; each is checked again once it is composed."""
    return is_ours(config) or any(asks_for_us(word) for overrides in batch for word in overrides)


class _SaveFolders:
    """Where the jobs of a sweep save, over all its batches: some sweepers launch a job at a time."""

    def __init__(self) -> None:
        self.jobs: Dict[str, List[str]] = {}
        self.count = 0

    def compare(self, sweeper: Any, batch: Sequence[Sequence[str]]) -> None:
        """Adds jobs; the same overrides again count as the same job.

        Raises:
            ConfigCompositionException: two jobs would save into one folder.
        """
        from hydra.errors import ConfigCompositionException

        loader = getattr(getattr(sweeper, "hydra_context", None), "config_loader", None) or sweeper.config_loader
        for overrides in map(list, batch):
            cfg = loader.load_sweep_config(sweeper.config, overrides)
            folder = _save_folder(cfg, self.count)
            self.count += 1
            if folder and self.jobs.setdefault(folder, overrides) != overrides:
                jobs = [self.jobs[folder], *map(list, batch), overrides]
                raise ConfigCompositionException(_shared(str(cfg.checkpoint.save_dir), jobs))


def _save_folder(cfg: Any, number: int) -> Optional[str]:
    """Return the absolute folder in which a job will save; None if it will not save, or it is not known yet."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import open_dict
    from omegaconf.errors import OmegaConfBaseException

    instance = HydraConfig.instance()
    before = instance.cfg
    try:
        with open_dict(cfg.hydra):
            cfg.hydra.job.num, cfg.hydra.job.id = number, f"job_id_{number}"
        # first, since omegaconf 2.0 resolves ${hydra:job.num} when a key is only looked up, and only once
        instance.set_config(cfg)
        if not is_ours(cfg) or "checkpoint" not in cfg or "save_dir" not in cfg.checkpoint or cfg.checkpoint.no_save:
            return None
        stays = "chdir" in cfg.hydra.job and cfg.hydra.job.chdir is False  # hydra 1.0 has no such key
        stands = "" if stays else os.path.join(str(cfg.hydra.sweep.dir), str(cfg.hydra.sweep.subdir))
        return os.path.realpath(os.path.join(stands, cfg.checkpoint.save_dir))
    except OmegaConfBaseException:
        return None
    finally:
        instance.cfg = before


def _shared(folder: str, jobs: List[List[str]]) -> str:
    """Return the message for the first and last of some jobs; it suggests a folder named by the keys that differ."""
    first, last = ([word for word in job if not all(word in other for other in jobs)] for job in (jobs[0], jobs[-1]))
    names = []
    for key, _, value in (word.lstrip("+").partition("=") for word in last):
        if "." in key and "/" not in key and key != "checkpoint.save_dir":  # else a group, which has no value to show
            names.append(f"${{{key}.0}}" if value.startswith("[") else f"${{{key}}}")
    return (
        f"two jobs of this sweep would save into `checkpoint.save_dir` {folder!r}, {' '.join(first)} and "
        f"{' '.join(last)}, and resume from each other's checkpoints: give each job its own folder, for example with "
        f"checkpoint.save_dir='{folder}/{'-'.join(names) or '${hydra:job.num}'}'"
    )
