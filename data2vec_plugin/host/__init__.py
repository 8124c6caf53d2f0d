"""All extensions of fairseq: its trainer, its checkpoint reader, launching, watching."""

import os

from . import launching as launching  # loaded before this package, which then lacks the attribute

if os.path.realpath(launching.__path__[0]) != os.path.realpath(os.path.join(__path__[0], "launching")):
    import logging  # which `data2vec --help` would pay for

    logging.getLogger(__name__).warning(
        f"this copy is {os.path.dirname(__path__[0])}, but its launching code was already loaded from "
        f"{launching.__path__[0]}, which Python finds by name: `pip install -e` this copy, or use the other one with "
        "common.user_dir=data2vec_plugin"
    )
