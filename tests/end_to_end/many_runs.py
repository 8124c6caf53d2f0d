"""fairseq-hydra-train, once for each list of arguments in a file, a line of JSON each, in one process, which spares the
imports.

Prints a line of JSON a run: its last update, or the error that ended it.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, List

from fairseq.trainer import Trainer
from fairseq_cli.hydra_train import cli_main

updates: List[int] = []
stock = Trainer.train_step


def train_step(self: Trainer, *args: Any, **kwargs: Any) -> Any:
    """fairseq's own step, which is counted."""
    output = stock(self, *args, **kwargs)
    updates.append(self.get_num_updates())
    return output


def run(words: List[str]) -> Dict[str, Any]:
    """What became of a run."""
    updates.clear()
    sys.argv = ["fairseq-hydra-train", *words]
    try:
        cli_main()
    except (Exception, SystemExit) as error:
        return {"updates": len(updates), "error": f"{type(error).__name__}: {error}"}
    return {"updates": updates[-1] if updates else 0, "error": ""}


if __name__ == "__main__":
    os.environ["HYDRA_FULL_ERROR"] = "1"  # or hydra prints the error and ends the process
    Trainer.train_step = train_step
    for line in Path(sys.argv[1]).read_text().splitlines():
        print("RESULT " + json.dumps(run(json.loads(line))) + "\n", end="", flush=True)
