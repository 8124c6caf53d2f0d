"""Builds the package, and puts the one-line `.pth` of the shim into site-packages.

fairseq, torch, NumPy, hydra and omegaconf are no dependencies here: pip would move the
user's. `make install` shows an order in which they install on a current Python.
"""

import re
from pathlib import Path

from setuptools import Distribution, find_namespace_packages, setup  # isort: skip

# setuptools brings distutils along, also where Python (3.12) no longer has it
from distutils.command.install_data import install_data  # isort: skip

ROOT = Path(__file__).parent
VERSION = re.findall(r'^__version__ = "(.+)"$', (ROOT / "data2vec_plugin" / "__init__.py").read_text("utf-8"), re.M)
PACKAGES = ("data2vec_plugin*", "data2vec_compat*")

AUDIO = ["soundfile>=0.12", "soxr>=0.3", "editdistance>=0.6"]
TEXT = ["regex", "scikit-learn>=1.0", "scipy>=1.7", "sentencepiece>=0.1.99"]
IMAGE = ["pillow>=9.1"]  # torchvision never comes from here: it would move the user's torch
FLASHLIGHT = 'flashlight-text>=0.0.7; python_version < "3.13"'  # no wheels beyond; KenLM is in them
LM = [FLASHLIGHT]
VAD = ["silero-vad>=6.2"]  # asks for torch of any version; its model is in the wheel
ONNX = ["onnx>=1.15", "onnxruntime>=1.16"]  # neither names torch, nor a NumPy that Python has not
DEMO = ['gradio>=6; python_version >= "3.10"']  # moves neither torch, NumPy nor hydra; Pillow 13 to 12
MULTIMODAL = ["pytesseract>=0.3", "torch-geometric>=2.3"]  # the latter for the converter alone; it names no torch
HUGGINGFACE = ["safetensors>=0.4"]  # their folders, and `data2vec features --format safetensors`
PLOTS = ["matplotlib>=3.7"]  # of reports
ESPEAK = ["espeakng-loader>=0.2"]  # the voice of synthesised corpora
BERT = ["transformers>=4.30"]  # of memes; not in "all", since torch 2.1 does not import with the newest
DEV = [
    *ESPEAK,
    FLASHLIGHT,
    "hydra-submitit-launcher>=1.0",  # pip moves hydra 1.0 for it, unless told to stay, as tests/hosts/matrix.py does
    "hypothesis>=6.100",
    *PLOTS,
    "mypy>=1.10",
    *ONNX,
    "pylint>=3.0",
    "pytest>=8.0,<9",  # with 9, pytest-xdist 3.8 does not see its groups, and each worker makes every fixture
    "pytest-xdist>=3.5",
    "ruff>=0.5",
    *HUGGINGFACE,
    *VAD,
    "setuptools>=70.1",  # a test builds a wheel
    "tensorboardX>=2.6",
    *BERT,  # what conversions are compared with, too
]
CAPABILITIES = {
    "audio": AUDIO,
    "text": TEXT,
    "image": IMAGE,
    "lm": LM,
    "vad": VAD,
    "onnx": ONNX,
    "demo": DEMO,
    "multimodal": MULTIMODAL,
    "huggingface": HUGGINGFACE,
    "plots": PLOTS,
    "espeak": ESPEAK,
}


class InstallData(install_data):
    """Installs data files beside the packages: only there does Python read a `.pth`."""

    def finalize_options(self) -> None:
        self.set_undefined_options("install", ("install_lib", "install_dir"))
        super().finalize_options()


class DistributionWithData(Distribution):
    """Says that it has data; an editable build asks, and leaves data files out if not."""

    def has_data(self) -> bool:
        return bool(self.has_data_files())


setup(
    name="data2vec-fairseq",
    version=VERSION[0],
    description="data2vec as a plugin for stock, unmodified fairseq",
    long_description=(ROOT / "README.md").read_text("utf-8") if (ROOT / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    author="the data2vec for fairseq authors",
    license="MIT",
    python_requires=">=3.9",
    packages=[
        *find_namespace_packages(include=PACKAGES, exclude=["*__pycache__*"]),
        "data2vec_plugin.configs",
    ],
    package_dir={"data2vec_plugin.configs": "configs"},
    package_data={
        "data2vec_plugin": ["py.typed"],
        "data2vec_plugin.configs": ["*.yaml", "**/*.yaml"],
    },
    data_files=[("", ["data2vec_compat.pth"])],
    cmdclass={"install_data": InstallData},
    distclass=DistributionWithData,
    entry_points={"console_scripts": ["data2vec = data2vec_plugin.cli.main:main"]},
    install_requires=["rich>=13", "tqdm>=4.60"],
    extras_require={
        **CAPABILITIES,
        "all": sorted({package for packages in CAPABILITIES.values() for package in packages}),
        "bert": BERT,
        "dev": DEV,
        "docs": ["mkdocs-material>=9.5"],
    },
    zip_safe=False,
    classifiers=[
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
