"""The paper's two target ablations on little data: which layer signal is regressed, and over how many layers.

Pre-trains twelve models of eight layers by `--multirun` (four signals, K of 1, 4 and 8), fine-tunes each with CTC, and
one from scratch, and writes the letter error rates next to the published results. When run again, it resumes and
reports what it skips.

    python examples/ablation/run.py --out outputs/ablation
"""

import argparse
import sys
from pathlib import Path

from data2vec_plugin.runs.curves import draw
from data2vec_plugin.runs.following import clock
from data2vec_plugin.runs.quickstart import write_results
from data2vec_plugin.runs.reading import read_runs
from data2vec_plugin.runs.stages import Runner, Stage, shown
from data2vec_plugin.runs.tables import print_table
from data2vec_plugin.runs.training_log import read_training_log

ROOT = Path(__file__).resolve().parents[2]  # commands run here, as a user would

SIGNALS = ("attention", "ffn", "ffn_residual", "block")
TOP_K = (1, 4, 8)
PUBLISHED = {"attention": 100.0, "ffn": 13.1, "ffn_residual": 14.8, "block": 14.5}  # table 4: WER, K 8, base, 200k
SCRATCH = "scratch"
UPDATES_PRETRAINING, UPDATES_FINETUNING = 360, 300
CORPUS = ("--unlabelled-minutes=20", "--labelled-minutes=5", "--valid-utterances=60", "--test-utterances=10")
MODEL = (
    "+size/audio=tiny",
    *("model.encoder_layers=8", "model.encoder_embed_dim=96", "model.encoder_ffn_embed_dim=384"),
    "model.conv_feature_layers='[(32,20,10), (64,4,4), (96,4,4), (96,2,2)]'",
    *("model.dropout=0", "model.attention_dropout=0", "model.encoder_layerdrop=0"),
)
SHARED = (
    "+run=cpu",
    "common.log_interval=50",
    "common.log_format=json",
    "common.seed=1",
    "dataset.validate_interval=1000",
)


def stages(out: str) -> list[Stage]:
    """List the commands, in order."""
    corpus, data = f"{out}/corpus", f"{out}/data"
    labels = (f"{data}/train-labelled.tsv", f"{data}/valid.tsv")
    synthesise = ("python", "examples/quickstart/synthesise.py", "--out", corpus, *CORPUS)
    return [
        Stage("corpus", "synthesise speech", synthesise, ROOT / corpus),
        Stage("manifest", "list the audio", ("data2vec", "manifest", corpus, "--out", data), ROOT / data, ("corpus",)),
        Stage("labels", "spell", ("data2vec", "labels", *labels), ROOT / data / "dict.ltr.txt", ("manifest",)),
        Stage(
            "pretrain",
            "pre-train twelve",
            pretrain(data, out),
            ROOT / out / "runs",
            after=("manifest",),
            updates=UPDATES_PRETRAINING,
        ),
        Stage(
            "finetune",
            "fine-tune twelve",
            finetune(
                data,
                ",".join(f"{out}/runs/{name}/asr" for name in jobs()),
                "${checkpoint.save_dir}/../checkpoint_last.pt",
            ),
            ROOT / out / "runs" / jobs()[-1] / "asr",
            after=("labels", "pretrain"),
            updates=UPDATES_FINETUNING,
        ),
        Stage(
            "scratch",
            "train one from scratch",
            (
                *finetune(data, f"{out}/{SCRATCH}", f"{out}/runs/ffn-8/checkpoint_last.pt"),
                "model.no_pretrained_weights=true",
            ),
            ROOT / out / SCRATCH,
            after=("labels", "pretrain"),
            updates=UPDATES_FINETUNING,
        ),
    ]


def jobs() -> list[str]:
    """The names of the twelve runs."""
    return [f"{signal}-{k}" for signal in SIGNALS for k in TOP_K]


def pretrain(data: str, out: str) -> tuple[str, ...]:
    """Return the command that pre-trains all twelve, one after another."""
    return (
        *("fairseq-hydra-train", "--multirun", "--config-dir", "configs", "--config-name", "audio_base", *MODEL),
        *(*SHARED, f"task.data={data}", "dataset.train_subset=train-unlabelled"),
        *("dataset.valid_subset=valid-unlabelled", "dataset.max_tokens=160000", "task.max_sample_size=80000"),
        *("optimization.lr=[0.001]", f"optimization.max_update={UPDATES_PRETRAINING}"),
        *("lr_scheduler.phase_ratio=[0.27,0.43,0.3]", "checkpoint.save_interval=1000"),
        f"+model.target_signal={','.join(SIGNALS)}",
        f"model.average_top_k_layers={','.join(map(str, TOP_K))}",
        f"checkpoint.save_dir='{out}/runs/${{model.target_signal}}-${{model.average_top_k_layers}}'",
    )


def finetune(data: str, folders: str, pretrained: str) -> tuple[str, ...]:
    """Return the command that fine-tunes `pretrained` into each of `folders`, one after another."""
    return (
        *("fairseq-hydra-train", "--multirun", "--config-dir", "configs", "--config-name", "asr_base_10m"),
        *(*SHARED, f"task.data={data}", "dataset.train_subset=train-labelled", "dataset.valid_subset=valid"),
        *("dataset.max_tokens=144000", "optimization.lr=[0.002]", f"optimization.max_update={UPDATES_FINETUNING}"),
        *("model.feature_grad_mult=1", "model.freeze_finetune_updates=0", "model.layerdrop=0"),
        *("model.activation_dropout=0", "model.mask_prob=0.2", "model.mask_channel_prob=0"),
        *("dataset.validate_after_updates=0", "dataset.validate_interval_updates=100"),
        *("checkpoint.save_interval_updates=100", f"checkpoint.save_dir={folders}"),
        f"model.w2v_path='{pretrained}'",
    )


def error_rates(out: Path) -> dict[str, dict[str, float]]:
    """The lowest letter and word error rates of every run on unseen voices, in percent."""
    folders = {name: out / "runs" / name / "asr" for name in jobs()}
    folders[SCRATCH] = out / SCRATCH
    rates = {}
    for name, folder in folders.items():
        curves = read_training_log(folder / "train.log")
        rates[name] = {metric: min(curves[f"valid/{metric}"].values) for metric in ("uer", "wer")}
    return rates


def show(rates: dict[str, dict[str, float]]) -> None:
    """Print the table of letter error rates: a row per signal, a column per K, and the published WER."""
    header = ("target", *(f"K {k}" for k in TOP_K), "published WER, K 8")
    rows = [
        (signal, *(f"{rates[f'{signal}-{k}']['uer']:.1f}" for k in TOP_K), f"{PUBLISHED[signal]:.1f}")
        for signal in SIGNALS
    ]
    rows.append(("no pre-training", f"{rates[SCRATCH]['uer']:.1f}", *[""] * len(TOP_K)))
    print_table("letter error rate on unseen voices (%)", header, rows)
    print("published: base, 200,000 updates, 10 hours of labels, dev-other, no language model (the paper's table 4)")


def main() -> int:
    """Run the stages, print the table, draw the curves."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument(
        "--out", default="outputs/ablation", help="folder below the checkout (default: outputs/ablation)"
    )
    parser.add_argument("--list", action="store_true", help="print the commands without running them")
    args = parser.parse_args()
    out = ROOT / args.out
    runner = Runner(out, ROOT)
    for stage in stages(args.out):
        if args.list:
            print(shown(stage.command), end="\n\n")
        else:
            runner.run(stage)
    if args.list:
        return 0
    rates = error_rates(out)
    seconds = runner.seconds()
    report = {"error_rates": rates, "published_wer": PUBLISHED, "seconds_total": round(seconds, 1)}
    write_results(out / "report.json", report)
    draw(read_runs([out / "runs" / name for name in jobs()]), out / "report.png")
    show(rates)
    print(f"{clock(seconds)} in all\n{out / 'report.json'}\n{out / 'report.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
