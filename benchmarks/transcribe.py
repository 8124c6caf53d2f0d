"""`data2vec transcribe` and the CTC pipeline of `transformers` with the same weights: speed, text; long recordings.

    python -m benchmarks.transcribe CHECKPOINT FOLDER [MINUTES]

reads a recogniser, a folder of recordings, and the length of the long recording (60). Without them, a base model with
random weights is run on noise, which measures speed but not text.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

import editdistance
import numpy as np
import soundfile
import torch
from fairseq.data import Dictionary
from numpy.typing import NDArray
from omegaconf import OmegaConf

import data2vec_plugin
from benchmarks.timing import interleaved, show
from data2vec_plugin.convert.modality import Given
from data2vec_plugin.convert.to_hf import to_hf
from data2vec_plugin.models.data2vec_audio import Data2VecAudioModel
from data2vec_plugin.recognition.transcription.transcript import Transcript

RECIPE = Path(__file__).resolve().parents[1] / "configs" / "audio_base.yaml"
RATE, THREADS, WINDOW = 16_000, 2, 20.0
PAUSES = 0.5, 1.5
"""Seconds between the sentences of the long recording."""
HISS = 1e-3
SHIFTS = 1, 80, 320
HEAR = """
import json, sys, torch, data2vec_plugin
def memory(name):
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(name))
torch.set_num_threads({threads})
recogniser = data2vec_plugin.load_recogniser(sys.argv[1], device="cpu")
model = memory("VmRSS")
words = [word.text for word in recogniser.transcribe(sys.argv[2]).words]
print(json.dumps(dict(words=words, model=model, peak=memory("VmHWM"))))
"""
Clip = NDArray[np.float32]


class Heard(NamedTuple):
    """The transcript of a process, and its memory in MiB: with the model, and peak."""

    words: List[str]
    model: float
    peak: float


def fresh_recogniser(path: Path) -> None:
    """Write a base model with letters and random weights, as fairseq's trainer saves it."""
    section: Dict[str, Any] = OmegaConf.to_container(OmegaConf.load(RECIPE).model)  # type: ignore[assignment]
    section = {**section, "ema_anneal_end_step": 30_000, "max_update": 400_000}
    cfg = OmegaConf.merge(OmegaConf.structured(Data2VecAudioModel.__init__.__annotations__["cfg"]), section)
    torch.manual_seed(1)
    model = Data2VecAudioModel.build_model(cfg)
    model.remove_pretraining_modules()
    dictionary = Dictionary()
    for letter in "|ETAONIHSRDLUMWCFGYPBVK'XJQZ":
        dictionary.add_symbol(letter)
    weights = {f"w2v_encoder.w2v_model.{name}": value for name, value in model.state_dict().items()}
    weights["w2v_encoder.proj.weight"] = torch.randn(len(dictionary), 768) * 0.05
    weights["w2v_encoder.proj.bias"] = torch.zeros(len(dictionary))
    weights["w2v_encoder.proj.bias"][1 : dictionary.nspecial] = -100  # which only the pipeline prints
    pretraining = {"model": section, "task": {"_name": "audio_pretraining", "data": "", "normalize": True}}
    task = {"_name": "audio_finetuning", "data": "", "normalize": True, "labels": "ltr"}
    state = {
        "args": None,
        "cfg": {"model": {"_name": "wav2vec_ctc", "w2v_path": "", "w2v_args": pretraining}, "task": task},
        "model": weights,
        "optimizer_history": [{"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}, "num_updates": 1}],
        "task_state": {"target_dictionary": dictionary},
        "extra_state": {"train_iterator": {"epoch": 1}},
        "last_optimizer_state": None,
    }
    torch.save(state, path)


def noise(folder: Path) -> None:
    """Clips from one second to half a minute, with the loudness envelope of speech."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number, seconds in enumerate(np.exp(rng.uniform(np.log(1), np.log(30), 24))):
        time = np.arange(int(seconds * RATE)) / RATE
        samples = rng.normal(0, 0.1, len(time)) * (0.1 + np.abs(np.sin(9 * time)))
        soundfile.write(folder / f"{number:02d}.wav", samples.astype("float32"), RATE)


def theirs(folder: Path) -> Any:
    """The pipeline of `transformers`, which cuts into windows with a sixth of context, eight per batch."""
    from transformers import AutoModelForCTC, AutoProcessor, pipeline

    processor = AutoProcessor.from_pretrained(str(folder))
    return pipeline(
        "automatic-speech-recognition",
        model=AutoModelForCTC.from_pretrained(str(folder)),
        tokenizer=processor.tokenizer,
        feature_extractor=processor.feature_extractor,
        chunk_length_s=WINDOW,
        batch_size=8,
    )


def beside(checkpoint: Path, files: List[Path], folder: Path) -> None:
    """Print the speed of both, and for how many of the files that neither cuts the texts agree."""
    ours = data2vec_plugin.load_recogniser(checkpoint, device="cpu")
    given = Given()
    to_hf(checkpoint, folder, False, given)
    pipe = theirs(folder)
    said: Dict[str, List[str]] = {}

    def by_us() -> None:
        said["ours"] = [found.text for _, found in ours.results(files) if isinstance(found, Transcript)]

    def by_them() -> None:
        said["transformers"] = [found["text"].strip() for found in pipe(waveforms(files))]

    works: Dict[str, Callable[[], None]] = {"transformers": by_them, "ours": by_us}
    seconds = [soundfile.info(path).duration for path in files]
    medians = interleaved(works, repeats=5, warm_up=1)
    title = f"{len(files)} files of {min(seconds):.1f} to {max(seconds):.1f} s, {sum(seconds):.0f} s in all"
    show(title, medians, "transformers")
    by_them_alone = [pipe(each, batch_size=1)["text"].strip() for each in waveforms(files)]
    for name, texts in (("transformers", said["transformers"]), ("transformers, one by one", by_them_alone)):
        short = [pair for *pair, length in zip(said["ours"], texts, seconds) if length <= WINDOW]
        same = sum(one.split() == other.split() for one, other in short)
        print(f"  same text as {name}: {same} of {len(short)} files that neither cuts")


def waveforms(files: List[Path]) -> Iterator[Dict[str, Any]]:
    """Files in the pipeline's input format."""
    for path in files:
        yield {"raw": soundfile.read(path, dtype="float32")[0], "sampling_rate": RATE}


def long_recording(path: Path, clips: List[Clip], minutes: float, hiss: float) -> List[int]:
    """Write sentences with pauses between them; returns their indices."""
    rng = np.random.default_rng(1)
    order: List[int] = []
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as sound:
        while sound.tell() < minutes * 60 * RATE:
            order.append(int(rng.integers(len(clips))))
            sound.write(clips[order[-1]])
            sound.write(rng.normal(0, hiss, int(rng.uniform(*PAUSES) * RATE)))  # 0: digital silence
    return order


def hear(checkpoint: Path, path: Path) -> Heard:
    """Transcribe in a separate process."""
    command = [sys.executable, "-c", HEAR.format(threads=THREADS), str(checkpoint), str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return Heard(**json.loads(done.stdout.splitlines()[-1]))


def at_length(checkpoint: Path, files: List[Path], minutes: float, folder: Path) -> None:
    """Print memory, and how many words of a long recording differ from those of its sentences."""
    clips = [soundfile.read(path, dtype="float32")[0] for path in files]
    recogniser = data2vec_plugin.load_recogniser(checkpoint, device="cpu")
    texts = [found.text.split() for _, found in recogniser.results(files) if isinstance(found, Transcript)]
    for name, hiss in (("nothing", 0.0), ("hiss", HISS)):
        order = long_recording(folder / "long.wav", clips, minutes, hiss)
        heard = hear(checkpoint, folder / "long.wav")
        expected = [word for place in order for word in texts[place]]
        share = editdistance.eval(heard.words, expected) / max(len(expected), 1)
        print(
            f"{minutes:g} minutes of {len(order)} sentences, {name} between them: {heard.peak:.0f} MiB peak, "
            f"{heard.peak - heard.model:.0f} above the model; {100 * share:.2f} % of {len(expected)} words differ"
        )


def shifted(checkpoint: Path, files: List[Path]) -> None:
    """Print how many words change when the first samples are left out: how far a text depends on where frames begin."""
    clips = [soundfile.read(path, dtype="float32")[0] for path in files]
    recogniser = data2vec_plugin.load_recogniser(checkpoint, device="cpu")
    texts = [recogniser.transcribe(clip).text.split() for clip in clips]
    for samples in SHIFTS:
        others = [recogniser.transcribe(clip[samples:]).text.split() for clip in clips]
        share = sum(map(editdistance.eval, others, texts)) / max(sum(map(len, texts)), 1)
        print(f"without the first {samples} samples {100 * share:.1f} % of the words change")


def inputs(folder: Path) -> Tuple[Path, List[Path], float]:
    """Checkpoint, files and minutes, from the command line or synthetic."""
    given = sys.argv[1:] if sys.argv[0].endswith("transcribe.py") else []
    if given:
        files = sorted(path for path in Path(given[1]).rglob("*") if path.suffix in (".wav", ".flac"))
        return Path(given[0]), files, float(given[2]) if len(given) > 2 else 60.0
    fresh_recogniser(folder / "fresh.pt")
    noise(folder / "noise")
    return folder / "fresh.pt", sorted((folder / "noise").iterdir()), 10.0


def main() -> None:
    """Print both results."""
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as name:
        checkpoint, files, minutes = inputs(Path(name))
        beside(checkpoint, files, Path(name) / "theirs")
        at_length(checkpoint, files, minutes, Path(name))
        shifted(checkpoint, files)


if __name__ == "__main__":
    main()
