"""torch 2.1's oneDNN now and then returns garbage for the gradients of a convolution along time on a CPU.

Which memory it happens to read decides, so that no test can tell: with the position convolution of a tiny model, up
to 15 of 24 backward passes were off, by as much as twenty orders of magnitude, and none without oneDNN. torch 2.8 and
newer do not do so; which release between was the first not to is not known.
"""

from types import ModuleType

from data2vec_compat.registry import patch

AFFECTED = "2.1."


@patch(
    "convolutions on a CPU",
    "fairseq.trainer",
    why="torch 2.1 trains on a CPU with gradients of convolutions that are garbage now and then",
)
def leave_onednn_out(module: ModuleType) -> bool:
    """Lets torch's own convolutions train, which are slower; a GPU never uses oneDNN."""
    torch = module.torch
    if not torch.__version__.startswith(AFFECTED):
        return False
    torch.backends.mkldnn.enabled = False
    return True
