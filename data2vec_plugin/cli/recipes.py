"""`data2vec recipes`: list the recipes that come with the package, or copy them."""

import argparse
from pathlib import Path

COPY_HINT = "fairseq-hydra-train --config-dir {folder} --config-name RECIPE +run=1gpu task.data=…"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec recipes`."""
    add = parser.add_argument
    add("--copy", type=Path, metavar="DIR", help="copy all recipes to DIR, to edit them")
    add("--force", action="store_true", help="let --copy overwrite existing files")
    add("--path", action="store_true", help="print the folder of the recipes, for --config-dir")


def run(args: argparse.Namespace) -> int:
    """List, locate or copy the recipes.

    Raises:
        ValueError: the recipes are missing, or a copy would overwrite a file.
    """
    from ..files.recipe_tree import copy, recipes_folder, show

    if args.copy:
        count = copy(recipes_folder(), args.copy, args.force)
        print(f"{args.copy}: {count} files\n{COPY_HINT.format(folder=args.copy)}")
    elif args.path:
        print(recipes_folder())
    else:
        show(recipes_folder())
    return 0
