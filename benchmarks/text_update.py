"""One pre-training update (forward, backward, Adam, teacher) on text: this plugin, and the model in fairseq 0.12.2.

Each runs in its own process, so that they do not share memory or threads; the updates take turns. Both get the same
masked ids. The reference's teacher is given the whole sentence, as this plugin's: fairseq's own task would give it
fewer tokens to attend to (`padding` between the masked ones), but not less to compute.
"""

import multiprocessing
import os
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any, Dict

from .sizes import model_keys
from .timing import Work, interleaved, show, update

REFERENCE, OURS = "fairseq 0.12.2", "ours"
VOCABULARY, ROWS, LENGTH, SPAN = 4000, 8, 512, 4
COMMON: Dict[str, Any] = {
    "head_layers": 2,
    "layer_norm_target_layer": True,
    "loss_beta": 4,
    "loss_scale": 1,
    "ema_anneal_end_step": 1000,
    "max_positions": LENGTH,
}
TRANSFORMER: Dict[str, Any] = {
    "activation_fn": "gelu",
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "layernorm_embedding": True,
    "no_scale_embedding": True,
    "max_source_positions": LENGTH,
    "encoder": {"learned_pos": True},
}


def dictionary() -> Any:
    """Synthetic words, and the mask symbol that the task adds."""
    from fairseq.data import Dictionary

    made = Dictionary()
    for number in range(VOCABULARY - len(made) - 1):
        made.add_symbol(f"w{number}")
    made.add_symbol("<mask>")
    return made


def build(which: str, size: str) -> Any:
    """The model of one side."""
    from omegaconf import OmegaConf

    task = SimpleNamespace(source_dictionary=dictionary(), cfg=SimpleNamespace(data=""))
    if which == OURS:
        from data2vec_plugin.models import data2vec_text as module
    else:
        from .audio_update import reference_module

        module = reference_module("data2vec_text")
    keys = (COMMON, {"transformer": TRANSFORMER}, model_keys(size, "text"))
    cfg = OmegaConf.merge(OmegaConf.structured(module.Data2VecTextConfig), *keys)
    return module.Data2VecTextModel.build_model(cfg, task)


def batch(device: str) -> Dict[str, Any]:
    """Full rows of ids, a third of them masked in spans of four."""
    import torch

    generator = torch.Generator().manual_seed(1)
    whole = torch.randint(4, VOCABULARY - 1, (ROWS, LENGTH), generator=generator)
    spans = torch.rand(ROWS, LENGTH // SPAN, generator=generator) < 0.35
    hidden = spans.repeat_interleave(SPAN, dim=1)
    seen = whole.masked_fill(hidden, VOCABULARY - 1)
    return {"src_tokens": seen.to(device), "target_tokens": whole.to(device)}


def serve(which: str, size: str, device: str, connection: Connection) -> None:
    """In a separate process: an update for every received message."""
    work = update(build(which, size).to(device), "main", **batch(device))
    connection.send("ready")
    while connection.recv():
        work()
        connection.send("done")


def ask(connection: Connection) -> Work:
    """An update in the other process."""

    def work() -> None:
        connection.send(True)
        connection.recv()

    return work


def main() -> None:
    """Compare on a GPU if there is one, else on a CPU; `BENCH_SIZE` chooses tiny (default) or base."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = os.environ.get("BENCH_SIZE", "tiny")
    context = multiprocessing.get_context("spawn")
    works, processes = {}, []
    for which in (REFERENCE, OURS):
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(which, size, device, theirs), daemon=True)
        process.start()
        ours.recv()
        works[which] = ask(ours)
        processes.append(process)
    title = f"update of data2vec_text {size}, {ROWS} rows of {LENGTH} tokens, {device}, two processes"
    show(title, interleaved(works, repeats=9), REFERENCE)
    for process in processes:
        process.terminate()
