"""A recogniser in torch, as ONNX, and in int8, on two threads: clips of five seconds, one and four per batch.

The published base model with random weights; for a trained model also word error rates: set `RECOGNISER` to its
checkpoint, and `MANIFEST` to a manifest with its .wrd next to it.

    RECOGNISER=outputs/quickstart/finetune/checkpoint_best.pt MANIFEST=outputs/quickstart/data/test.tsv \\
        python -m benchmarks onnx
"""

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Dict, List

import editdistance
import numpy as np
import torch
from fairseq.data import Dictionary
from omegaconf import OmegaConf

from benchmarks.timing import Work, interleaved, show
from data2vec_plugin.alignment.hearing import hear
from data2vec_plugin.alignment.pairs import find_pairs
from data2vec_plugin.decoding.greedy import GreedyCtcDecoder
from data2vec_plugin.decoding.words import words_of
from data2vec_plugin.export.to_onnx import Export, to_onnx
from data2vec_plugin.models.data2vec_audio import Data2VecAudioModel
from data2vec_plugin.recognition.recogniser import Recogniser, open_recogniser

RECIPE = Path(__file__).resolve().parents[1] / "configs" / "audio_base.yaml"
THREADS, SECONDS = 2, 5
LETTERS = "|ETAONIHSRDLUMWCFGYPBVK'XJQZ"


def write_recogniser(path: Path) -> Path:
    """Write the base model with CTC output and random weights, as fairseq's trainer saves it."""
    section: Dict[str, Any] = OmegaConf.to_container(OmegaConf.load(RECIPE).model)  # type: ignore[assignment]
    section = {**section, "ema_anneal_end_step": 30_000, "max_update": 400_000}
    cfg = OmegaConf.merge(OmegaConf.structured(Data2VecAudioModel.__init__.__annotations__["cfg"]), section)
    model = Data2VecAudioModel.build_model(cfg)
    model.remove_pretraining_modules()
    dictionary = Dictionary()
    for letter in LETTERS:
        dictionary.add_symbol(letter)
    weights = {f"w2v_encoder.w2v_model.{name}": value for name, value in model.state_dict().items()}
    weights["w2v_encoder.proj.weight"] = 0.1 * torch.randn(len(dictionary), 768)
    weights["w2v_encoder.proj.bias"] = torch.zeros(len(dictionary))
    task = {"_name": "audio_finetuning", "data": "", "normalize": True, "labels": "ltr"}
    inside = {"model": section, "task": {"_name": "audio_pretraining", "data": "", "normalize": True}}
    outside = {"_name": "wav2vec_ctc", "w2v_path": "", "w2v_args": inside}
    state = {"args": None, "cfg": {"model": outside, "task": task}, "model": weights}
    history = [{"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}, "num_updates": 1}]
    state.update(optimizer_history=history, task_state={"target_dictionary": dictionary}, extra_state={})
    torch.save(state, path)
    return path


def recognisers(checkpoint: Path, folder: Path) -> Dict[str, Recogniser]:
    """The same model in all three forms."""
    found = {"torch": open_recogniser(checkpoint, "cpu")}
    for name, int8 in (("onnx", False), ("onnx, int8", True)):
        path = folder / f"{name.replace(', ', '_')}.onnx"
        print("\n".join(to_onnx(Export(checkpoint, path, int8=int8))))
        found[name] = open_recogniser(path, "cpu")
    return found


def error_rate(recogniser: Recogniser, manifest: Path) -> float:
    """Word error rate of greedy decoding on a manifest with its .wrd, in percent."""
    decoder, wrong, count = GreedyCtcDecoder(recogniser.blank), 0, 0
    for pair in find_pairs(manifest, manifest.with_suffix(".wrd")):
        emissions = hear(recogniser, pair.audio).emissions
        said = [word.text for word in words_of(decoder.decode(emissions)[0], recogniser.symbols)]
        wanted = str(pair.text).split()
        wrong, count = wrong + editdistance.eval(said, wanted), count + len(wanted)
    return 100 * wrong / count


def measure(forms: Dict[str, Recogniser], title: str) -> None:
    """Print medians of interleaved runs."""
    rate = next(iter(forms.values())).sample_rate
    generator = np.random.default_rng(1)
    for rows in (1, 4):
        clips: List[Any] = [generator.normal(0, 0.1, SECONDS * rate).astype("float32") for _ in range(rows)]
        works: Dict[str, Work] = {name: partial(form.emissions, clips) for name, form in forms.items()}
        show(f"{title}: {rows} x {SECONDS} s, {THREADS} threads", interleaved(works, repeats=5, warm_up=1), "torch")


def main() -> None:
    """Print speeds, and error rates of a trained model if there is one."""
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure(recognisers(write_recogniser(folder / "base.pt"), folder), "base, random weights")
        if "RECOGNISER" in os.environ:
            forms = recognisers(Path(os.environ["RECOGNISER"]), folder)
            measure(forms, os.environ["RECOGNISER"])
            for form, recogniser in forms.items() if "MANIFEST" in os.environ else ():
                print(f"  {form:<12} WER {error_rate(recogniser, Path(os.environ['MANIFEST'])):.2f} %")


if __name__ == "__main__":
    main()
