"""`data2vec preflight`: what would go wrong in a training or a decoding, before it starts, each with its remedy.

For a training, write `data2vec preflight` in place of `fairseq-hydra-train`; for a decoding, give a checkpoint and a
manifest. Exits with 1 if there are errors; warnings are what may be intended.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec preflight`."""
    add = parser.add_argument
    add("--config-dir", metavar="FOLDER", help="folder of the recipe, as fairseq-hydra-train takes it")
    add("--config-name", metavar="RECIPE", help="check the training of this recipe")
    add(
        "inputs",
        nargs="*",
        metavar="OVERRIDE | CHECKPOINT MANIFEST",
        help="with --config-name overrides such as task.data=data; without it a fine-tuned checkpoint and the "
        "manifest (.tsv) that is to be decoded",
    )


def run(args: argparse.Namespace) -> int:
    """Print the findings; 1 if there is an error among them.

    Raises:
        ValueError: neither a recipe nor a checkpoint and a manifest are given, or hydra cannot compose the recipe.
    """
    if args.config_name is None and (len(args.inputs) != 2 or any("=" in word for word in args.inputs)):
        raise ValueError(
            f"got {' '.join(args.inputs) or 'nothing'}; expected --config-name RECIPE and overrides, as "
            f"fairseq-hydra-train takes them, or CHECKPOINT MANIFEST"
        )
    if args.config_name is None:
        from ...host.examining.examine import examine_decoding

        findings = examine_decoding(*map(Path, args.inputs))
    else:
        from ...host.examining.composing import composed
        from ...host.examining.examine import examine_recipe

        findings = examine_recipe(composed(args.config_dir, args.config_name, args.inputs))
    for line in findings.notes:
        print(line)
    for kind in ("warning", "error"):
        for text in findings.of(kind):
            print(f"{kind}: {text}")
    errors, warnings = (len(findings.of(kind)) for kind in ("error", "warning"))
    print(f"{errors} {'error' if errors == 1 else 'errors'}, {warnings} {'warning' if warnings == 1 else 'warnings'}")
    return 1 if errors else 0
