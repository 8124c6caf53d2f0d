"""Faults of the published meme classifier, and those that ours could have."""

from faults.fault import Fault

MEMES = (
    Fault(  # memes: padding counts in the mean of a caption
        "P1",
        "meme_mlp.masked_mean",
        "padding_mask is None",
        "True",
        ("tests/parity/test_meme_mlp.py", "tests/models/test_meme_classifier.py"),
    ),
    Fault(  # memes: padding is attended to
        "P2",
        "BertText.states",
        "(~padding_mask).long()",
        "padding_mask.long() * 0 + 1",
        ("tests/models/test_meme_classifier.py",),
    ),
    Fault(  # memes: frozen encoders are left in training mode
        "P3",
        "MemeClassifierModel.train",
        "self.cfg.freeze",
        "False",
        ("tests/models/test_meme_classifier.py",),
    ),
    Fault(  # memes: frozen encoders learn
        "P4",
        "MemeClassifierModel.__init__",
        "self.encoders.requires_grad_(False)",
        "self.encoders.requires_grad_(True)",
        ("tests/models/test_meme_classifier.py",),
    ),
    Fault(  # memes: a checkpoint lacks what cuts captions
        "P5",
        "TextEncoder.get_extra_state",
        "self.files or {}",
        "{}",
        ("tests/models/test_meme_classifier.py",),
    ),
    Fault(  # memes: the smoothed curve begins at 0
        "P6",
        "meme_metrics.smoothed",
        "average / weight",
        "average",
        ("tests/criterions/test_meme.py", "tests/parity/test_meme_mlp.py"),
    ),
    Fault(  # memes: fairseq's average of weights cannot be kept, since it averages whatever a state holds
        "P7",
        "average.averaged",
        "torch.is_tensor(value) and value.is_floating_point()",
        "True",
        ("tests/host/training/test_average.py",),
    ),
)
