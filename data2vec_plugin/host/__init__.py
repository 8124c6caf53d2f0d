"""Every place where fairseq is extended: its trainer, its reader of checkpoints, launching, watching."""

import os

from . import launching as launching  # loaded before this package, which then lacks the attribute

if os.path.realpath(launching.__path__[0]) != os.path.realpath(os.path.join(__path__[0], "launching")):
    import logging  # which `data2vec --help` would pay for

    logging.getLogger(__name__).warning(
        f"this is {os.path.dirname(__path__[0])}, but what must be there before it is imported comes from "
        f"{launching.__path__[0]}, which Python finds by name: `pip install -e` this copy, or name that one by "
        f"common.user_dir=data2vec_plugin"
    )
