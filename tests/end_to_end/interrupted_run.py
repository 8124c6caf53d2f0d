"""fairseq-hydra-train, sent a signal `delay` seconds after the start of an update, from inside.

    python interrupted_run.py UPDATE DELAY SIGNAL fairseq-hydra-train's arguments…

A signal from outside comes after the end on a machine that is fast enough; this run waits for its signal.
"""

import os
import signal
import sys
import threading
import time
from typing import Any

from fairseq.trainer import Trainer
from fairseq_cli.hydra_train import cli_main

UPDATE, DELAY, SIGNAL = int(sys.argv[1]), float(sys.argv[2]), signal.Signals[sys.argv[3]]
LAST_UPDATE_BEFORE_WAITING = UPDATE + 2
stock = Trainer.train_step


def train_step(self: Trainer, samples: Any, raise_dummy: bool = False) -> Any:
    """fairseq's own step; the signal is on its way once the update begins."""
    if self.get_num_updates() == UPDATE:
        threading.Timer(DELAY, os.kill, (os.getpid(), SIGNAL)).start()
    if self.get_num_updates() == LAST_UPDATE_BEFORE_WAITING:
        time.sleep(60)
    return stock(self, samples, raise_dummy)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell has started in the background
    Trainer.train_step = train_step
    sys.argv = ["fairseq-hydra-train", *sys.argv[4:]]
    cli_main()
