"""What `pip install WORDS` does, by uv where it is installed, because it is faster. Torch stays as it is.

    BIN/python requirements/install.py WORDS

installs into the environment of BIN/python. uv does not read pip's configuration: what it has for a setting is passed
to it. Pip installs where uv has nothing for one, as for several indexes, from which they choose differently, or fails.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
UV = Path(sys.executable).with_name("uv")
TORCH = Path(__file__).with_name("torch.txt")
KEPT = ("torch", "torchaudio", "torchvision")

FOR_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}
SEPARATORS = {"find-links": ","}
OF_NO_MATTER = ("config-file", "timeout", "default-timeout", "disable-pip-version-check", "no-input", "progress-bar")


def kept() -> list[str]:
    """The releases that nothing installed later may replace."""
    found = []
    for name in KEPT:
        try:
            found.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return found


def settings() -> dict[str, str]:
    """Pip's configuration, of which environment variables come first."""
    listed = subprocess.run((*PIP, "config", "list"), capture_output=True, text=True, check=True).stdout
    entries = dict(line.split("=", 1) for line in listed.splitlines() if "=" in line)
    from_files = {name.split(".", 1)[1]: value for name, value in entries.items() if not name.startswith(":env:")}
    from_environment = {name[len(":env:.") :]: value for name, value in entries.items() if name.startswith(":env:")}
    return {name: str(ast.literal_eval(value)) for name, value in {**from_files, **from_environment}.items()}


def for_uv(given: dict[str, str]) -> dict[str, str] | None:
    """Pip's settings as environment variables of uv, or None if uv has nothing for one of them."""
    variables = {}
    for name, value in given.items():
        if name in FOR_UV:
            variables[FOR_UV[name]] = SEPARATORS.get(name, " ").join(value.split())
        elif name not in OF_NO_MATTER:
            return None
    return variables


def main(words: list[str]) -> int:
    """Install; returns the exit code of what installed."""
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder, "kept.txt")
        constraints.write_text("\n".join(kept()))
        asks_for_torch = any(Path(word).name == TORCH.name for word in words)
        words = ["-q", *words] if asks_for_torch else ["-q", "-c", str(constraints), *words]
        variables = for_uv(settings()) if UV.exists() else None
        if variables is not None:
            options = ("--compile-bytecode", "--python", sys.executable)
            done = subprocess.run(
                (UV, "pip", "install", *options, *words), env={**variables, **os.environ}, check=False
            )
            if done.returncode == 0:
                return 0
            print("  uv could not install this; trying pip", file=sys.stderr)
        return subprocess.run((*PIP, "install", *words), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
