"""The configuration that `fairseq-hydra-train` would train with."""

from __future__ import annotations

import sys
from typing import Any, List, Optional, Sequence


def composed(folder: Optional[str], name: str, overrides: Sequence[str]) -> Any:
    """Compose a recipe exactly as `fairseq-hydra-train` does, up to the call that would start its processes.

    Raises ValueError for a recipe or overrides that cannot be composed, or that this machine cannot run.
    """
    from fairseq_cli import hydra_train

    found: List[Any] = []
    place = ("--config-dir", folder) if folder is not None else ()
    words, distributed = sys.argv, hydra_train.distributed_utils
    call_main = distributed.call_main
    sys.argv = ["fairseq-hydra-train", *place, "--config-name", name, *overrides]
    distributed.call_main = lambda cfg, *args, **kwargs: found.append(cfg)
    try:
        hydra_train.cli_main()
    except SystemExit as error:  # hydra has printed what is wrong
        raise ValueError("the recipe cannot be composed, see above") from error
    finally:
        sys.argv, distributed.call_main = words, call_main
    return found[0]
