"""The recipes that come with the package: their folder, their descriptions, a copy to change."""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Recipe:
    """A file of the configs tree: its name and the comment that it begins with."""

    name: str  # relative, without .yaml
    comment: tuple[str, ...]


def recipes_folder() -> Path:
    """Return the folder of the recipes: in the installed package, or else in the checkout.

    Raises:
        ValueError: neither is there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "configs", package.parent / "configs"):
        if any(folder.glob("*.yaml")):
            return folder
    raise ValueError(
        f"no recipes in {package / 'configs'} nor in {package.parent / 'configs'}; install the package again"
    )


def read_recipes(folder: Path) -> list[Recipe]:
    """Return the recipes first, then the overlays of the groups, each in order of name."""
    files = sorted(folder.rglob("*.yaml"), key=lambda file: (file.parent, file.name))
    return [Recipe(file.relative_to(folder).with_suffix("").as_posix(), first_comment(file)) for file in files]


def first_comment(file: Path) -> tuple[str, ...]:
    """Return the comment lines that a file begins with, without hydra's `@package` line."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        text = line.lstrip("#").strip()
        if text and not text.startswith("@package"):
            lines.append(text)
    return tuple(lines)


def show(folder: Path) -> None:
    """Print every recipe with its comment, and the overlays' names with the first line of it."""
    recipes = read_recipes(folder)
    print(f"Recipes in {folder}")
    for recipe in recipes:
        if "/" not in recipe.name:
            print(f"\n{recipe.name}")
            for line in recipe.comment:
                print(f"    {line}")
    print("\nOverlays")
    for recipe in recipes:
        group, slash, option = recipe.name.rpartition("/")
        if slash:
            print(f"    {f'+{group}={option}':<28}{recipe.comment[0] if recipe.comment else ''}")


def copy(folder: Path, target: Path, force: bool) -> int:
    """Copy the whole tree; return the number of files.

    Raises:
        ValueError: a file exists already, and `force` is False.
    """
    files = [file.relative_to(folder) for file in sorted(folder.rglob("*.yaml"))]
    taken = [file.as_posix() for file in files if (target / file).exists()]
    if taken and not force:
        raise ValueError(
            f"{target} already has {', '.join(taken[:3])} ({len(taken)} files); choose another folder, or replace "
            "them with --force"
        )
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / file, target / file)
    return len(files)
