"""One data2vec 2.0 model, of this plugin or of upstream, that is updated and measured on command.

python multi_worker.py ours|upstream CONFIG INPUTS [STATE], with one command per line: update NUMBER, kernels, bytes. It
answers in JSON; to `update`, with the seconds of one. Upstream's side runs with upstream's checkout and Python, without
this plugin.
"""

import json
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from counting import bytes_kept, kernels


class Symbols:
    """A dictionary with the given number of symbols."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def pad(self):
        return 1


class Task:
    """The part of a text task that a model uses."""

    def __init__(self, count):
        self.source_dictionary = self.dictionary = Symbols(count)


def ours(cfg, inputs, task):
    """Model and arguments; the mask is given, as by a loader."""
    from fairseq.dataclass.utils import merge_with_parent
    from omegaconf import OmegaConf

    from data2vec_plugin.core.masks.mask import Mask
    from data2vec_plugin.models.multi.data2vec_multi import Data2VecMultiModel
    from data2vec_plugin.models.multi.multi_config import Data2VecMultiConfig

    model = Data2VecMultiModel.build_model(merge_with_parent(Data2VecMultiConfig(), OmegaConf.create(cfg)), task)
    method = model.method.of(cfg["supported_modality"])
    with torch.no_grad():
        tokens = method.encoder.embed(inputs["source"], inputs.get("padding_mask"))
    mask = method.checked(Mask.given(inputs["mask"]), tokens).as_dict()
    return model, {"source": inputs["source"], "padding_mask": inputs.get("padding_mask"), "mask": mask}


def upstream(cfg, inputs, task):
    """The same for upstream."""
    from examples.data2vec.data.modality import Modality
    from examples.data2vec.models.data2vec2 import Data2VecMultiConfig, Data2VecMultiModel
    from fairseq.dataclass.utils import merge_with_parent
    from omegaconf import OmegaConf

    model = Data2VecMultiModel(
        merge_with_parent(Data2VecMultiConfig(), OmegaConf.create(cfg)),
        [Modality[cfg["supported_modality"]]],
        task=task,
    )
    named = {"source": inputs["source"], "padding_mask": inputs.get("padding_mask"), "mode": cfg["supported_modality"]}
    return model, {**named, "precomputed_mask": inputs["mask"]}


def adam_of(kind):
    """The optimizer of each: fairseq's Adam, and this plugin's, which gives the same numbers up to rounding."""
    if kind == "ours":
        from data2vec_plugin.host.training.joint_adam import JointAdam

        return JointAdam
    from fairseq.optim.adam import Adam

    return Adam


def as_the_trainer(kind):
    """What the trainer does at first on a CPU."""
    if kind == "ours":
        from data2vec_plugin.host.training.freed_memory import keep_freed_memory

        keep_freed_memory()


def main():
    """Answer commands until the input ends."""
    kind, config, given, *state = sys.argv[1:]
    from safetensors.torch import load_file

    as_the_trainer(kind)
    torch.manual_seed(1)
    cfg, inputs = json.loads(Path(config).read_text())["model"], load_file(given)
    weights = load_file(state[0]) if state else {}
    symbols = [len(value) for name, value in weights.items() if name.endswith("embed_tokens.weight")]
    task = Task(symbols[0] if symbols else 50_000)
    model, named = (ours if kind == "ours" else upstream)(cfg, inputs, task)
    if weights:
        teacher = {name[len("_ema.") :]: value for name, value in weights.items() if name.startswith("_ema.")}
        model.load_state_dict({**{n: v for n, v in weights.items() if not n.startswith("_ema.")}, "_ema": teacher})
    model.train()
    model.set_num_updates(0)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = adam_of(kind)(trained, lr=5e-4, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.01)
    count = 0

    def forward():
        result = model(**named)
        return sum(loss.float().sum() for loss in result["losses"].values()) / int(result["sample_size"])

    def learn():
        nonlocal count
        optimizer.zero_grad(set_to_none=True)
        forward().backward()
        count += 1
        model.set_num_updates(count)

    def update():
        learn()
        optimizer.step()

    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        name, *number = line.split()
        if name == "update":
            times, start = int(number[0]), time.perf_counter()
            for _ in range(times):
                update()
            answer = {"seconds": (time.perf_counter() - start) / times}
        elif name == "kernels":
            answer = {"kernels": kernels(learn)}
        else:
            optimizer.zero_grad(set_to_none=True)
            beside = [*model.parameters(), *inputs.values()]
            answer = {"bytes": bytes_kept(forward, beside)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
