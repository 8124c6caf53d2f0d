"""data2vec for fairseq. Importing it lets stock fairseq run here and registers our models, tasks and criterions.

Nothing of fairseq is imported by that: what needs it is registered as soon as fairseq is there.
"""

from . import host as host  # with its `launching`, which is loaded already where fairseq was first
from .compat import install, load

__version__ = "0.1.0"


def register() -> None:
    """Put everything into fairseq's registries; called when fairseq has been imported."""
    from .registration import register_all

    register_all()


install()
load().after_import("fairseq", register)
