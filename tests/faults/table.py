"""Upstream's faults, each as the change to our code that would bring it back, and the tests that must notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """``path`` with its only ``ours`` replaced by ``theirs`` has the fault; at least one of ``tests`` must then fail.

    ``name`` is the fault's number among upstream's; a letter tells two forms of one apart.
    """

    name: str
    path: str
    ours: str
    theirs: str
    tests: tuple[str, ...]


CORE, MODELS, PATCHES = "data2vec_plugin/core", "data2vec_plugin/models", "data2vec_compat/patches"

FAULTS = (
    Fault(  # fairseq-generate takes its beam search to a model of CTC
        "B1",
        "data2vec_plugin/tasks/data2vec_asr.py",
        'if all(hasattr(model, "get_logits") for model in models):',
        "if not models:",
        ("tests/tasks/test_data2vec_asr.py", "tests/end_to_end/test_recognition.py"),
    ),
    Fault(  # the head of images is made and bypassed
        "B2",
        "data2vec_plugin/modalities/image.py",
        "if self.config.reference_compat and self.final_proj is not None:\n            return x",
        "if self.final_proj is not None:\n            return x",
        ("tests/parity/test_vision.py", "tests/models/test_data2vec_vision.py"),
    ),
    Fault(  # debug prints in the image model
        "B3",
        f"{CORE}/relative_positions.py",
        "    def forward(self) -> Tensor:\n",
        "    def forward(self) -> Tensor:\n        print(self.table.shape)\n",
        ("tests/models/test_data2vec_vision.py",),
    ),
    Fault(  # the classifier leaves a patch out
        "B4",
        f"{MODELS}/data2vec_image_classification.py",
        "if self.cfg.reference_compat:\n            patches",
        "if True:\n            patches",
        ("tests/models/test_image_classification.py", "tests/parity/test_image_classification.py"),
    ),
    Fault(  # the pre-norm block loses a residual
        "B5",
        f"{CORE}/transformer.py",
        "x = summed = x + self.branch(ffn)",
        "x = summed = self.branch(ffn)",
        ("tests/core/test_transformer.py", "tests/parity/test_pretraining.py"),
    ),
    Fault(  # padding leaks through the position convolutions
        "B7",
        "data2vec_plugin/modalities/positions.py",
        "self.leaky = reference_compat",
        "self.leaky = True",
        ("tests/modalities/test_positions.py", "tests/parity/test_pretraining.py"),
    ),
    Fault(  # every row is trimmed to the batch's smallest count
        "B8",
        f"{CORE}/masking.py",
        "if trim_to_count or len(set(sizes)) == 1:",
        "if sizes:",
        ("tests/core/test_masking.py",),
    ),
    Fault(  # a generator is asked for what it has not
        "B9",
        f"{CORE}/masking.py",
        "lengths = rng.integers(int(config.other)",
        "lengths = rng.randint(int(config.other)",
        ("tests/core/test_masking.py",),
    ),
    Fault(  # the same, in fairseq's own masks
        "B9b",
        f"{PATCHES}/numpy.py",
        "if _asks_generators_for_randint(module):",
        "if False:",
        ("tests/compat/test_numpy.py",),
    ),
    Fault(  # a row of about one span cannot be masked
        "B10",
        f"{CORE}/masking.py",
        "bound = min(size, max(size - int(lengths.min()), len(lengths) + 1))",
        "bound = size - int(lengths.min())",
        ("tests/core/test_masking.py",),
    ),
    Fault(  # the silence weight is written over
        "B11",
        "data2vec_plugin/host/launching/upstream.py",
        'if name != "sil_weight" or not hasattr(self, name) or not is_imported():',
        "if name:",
        ("tests/host/launching/test_upstream.py",),
    ),
    Fault(  # a criterion reads arguments that a text model does not have
        "B12",
        f"{MODELS}/data2vec_text.py",
        "self.args = Namespace()",
        "self.arguments = Namespace()",
        ("tests/models/test_data2vec_text.py", "tests/end_to_end/test_text.py"),
    ),
    Fault(  # a saved teacher is not taken up
        "B14",
        f"{MODELS}/_checkpointed.py",
        'saved = state_dict.pop(prefix + "_ema", None)',
        'saved = state_dict.pop(prefix + "_ema", None) and None',
        ("tests/models/test_text_checkpoints.py", "tests/models/test_vision_checkpoints.py"),
    ),
    Fault(  # one list for all configurations
        "B15",
        f"{PATCHES}/imports.py",
        "        if _is_hosts(cls):\n            _make_defaults_hashable(cls)\n",
        "",
        ("tests/compat/test_imports.py",),
    ),
    Fault(  # buffers on a GPU that is not there
        "B16",
        f"{PATCHES}/distributed.py",
        "if not torch.cuda.is_available():\n            where",
        "if False:\n            where",
        ("tests/compat/test_distributed.py",),
    ),
    Fault(  # another modality's package at import time
        "B17",
        "data2vec_plugin/modalities/image.py",
        "import math\n",
        "import math\n\nimport torchvision\n",
        ("tests/test_registration.py",),
    ),
    Fault(  # a private path in a recipe
        "B18",
        "configs/audio_base.yaml",
        'data: "???"',
        "data: /private/home/manifests",
        ("tests/test_configs.py",),
    ),
    Fault(  # the worst checkpoint is kept
        "B19",
        "configs/imagenet_base.yaml",
        "maximize_best_checkpoint_metric: true",
        "maximize_best_checkpoint_metric: false",
        ("tests/test_configs.py",),
    ),
    Fault(  # fine-tuning contradicts pre-training
        "B20",
        "configs/asr_base_10h.yaml",
        "labels: ltr, normalize: true}",
        "labels: ltr, normalize: false}",
        ("tests/test_configs.py",),
    ),
    Fault(  # no scale is no number
        "B21",
        f"{CORE}/loss.py",
        "return 1 / math.sqrt(channels) if scale is None else scale",
        "return scale",
        ("tests/core/test_loss.py", "tests/models/test_data2vec_text.py"),
    ),
    Fault(  # group norm and averaged instance norm run over the batch
        "B22 B32",
        f"{CORE}/targets.py",
        "slipped = config.reference_axes and not",
        "slipped = not",
        ("tests/core/test_targets.py", "tests/models/test_data2vec_text.py"),
    ),
    Fault(  # a configuration's string is run
        "B23",
        "data2vec_plugin/modalities/conv_spec.py",
        'layers: Any = _evaluate(ast.parse(text, mode="eval").body)',
        "layers: Any = eval(text)",
        ("tests/modalities/test_conv_spec.py", "tests/test_architecture.py"),
    ),
    Fault(  # variances of one micro-batch
        "B24",
        "data2vec_plugin/criterions/data2vec.py",
        "sum(log[key] for log in logging_outputs if key in log)",
        "logging_outputs[-1].get(key, 0)",
        ("tests/criterions/test_data2vec.py",),
    ),
    Fault(  # the teacher of text sees what was hidden, and nothing else
        "B25",
        f"{MODELS}/data2vec_text.py",
        "whole = target_tokens if self.config.reference_compat else",
        "whole = target_tokens if True else",
        ("tests/models/test_data2vec_text.py",),
    ),
    Fault(  # a teacher step for every micro-batch, and one more after an overflow
        "B26",
        f"{CORE}/teacher.py",
        "if num_updates <= self.num_updates:",
        "if num_updates < self.num_updates:",
        ("tests/core/test_teacher.py",),
    ),
    Fault(  # the step that a checkpoint owes is skipped
        "B26b",
        f"{MODELS}/_checkpointed.py",
        "fallback_updates=max(self.num_updates - 1, 0)",
        "fallback_updates=self.num_updates",
        ("tests/models/test_checkpoints.py", "tests/models/test_text_checkpoints.py"),
    ),
    Fault(  # the count is not saved, nor what it says followed
        "B26c",
        f"{CORE}/teacher.py",
        "self.num_updates = int(state[UPDATES_KEY])",
        "self.num_updates = int(state[UPDATES_KEY]) + 1",
        ("tests/core/test_teacher.py", "tests/models/test_vision_checkpoints.py"),
    ),
    Fault(  # somebody else's class under our name runs
        "B27",
        "data2vec_plugin/registration.py",
        'if not module.startswith(f"{__package__}."):',
        "if not module:",
        ("tests/test_registration.py",),
    ),
    Fault(  # a single position convolution cannot be copied
        "B28",
        "data2vec_plugin/modalities/positions.py",
        "from torch.nn.utils.parametrizations import weight_norm",
        "from torch.nn.utils import weight_norm",
        ("tests/modalities/test_positions.py", "tests/models/test_checkpoints.py"),
    ),
    Fault(  # biases and norms are decayed
        "B29",
        f"{CORE}/update_rules.py",
        'return parameter.dim() > 1 and own != "bias" and own not in never',
        "return True",
        ("tests/models/test_image_classification.py", "tests/host/test_optimizer.py"),
    ),
    Fault(  # a released text checkpoint does not load
        "B30",
        "data2vec_plugin/interop/fairseq/text_v1.py",
        'NOT_OURS = ("encoder.lm_head.", ',
        "NOT_OURS = (",
        ("tests/parity/test_text.py", "tests/models/test_text_checkpoints.py"),
    ),
    Fault(  # padding counts in the targets' statistics
        "B31",
        f"{CORE}/targets.py",
        "if padding_mask is None or axes == CHANNEL:",
        "if True:",
        ("tests/core/test_targets.py", "tests/modalities/test_text.py"),
    ),
    Fault(  # an epoch count that is not the published one
        "B35",
        "configs/image_base.yaml",
        "num_mask_patches: 120",
        "num_mask_patches: 75",
        ("tests/test_configs.py",),
    ),
)
