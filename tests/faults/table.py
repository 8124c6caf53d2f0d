"""Upstream's faults, each as the change to our code that would bring it back, and the tests that must notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """``part`` with its only ``ours`` made ``theirs`` has the fault; at least one of ``tests`` must then fail.

    ``name`` is the fault's number among upstream's; a letter tells two forms of one apart. ``part`` is a module, class,
    function or constant of ours by the end of its dotted name, wherever it is (parts.py), ``ours`` an expression or a
    statement in it; of a recipe it is the path, and ``ours`` its text. ``tests`` are files, or tests by pytest's names.
    """

    name: str
    part: str
    ours: str
    theirs: str
    tests: tuple[str, ...]


FAULTS = (
    Fault(  # fairseq-generate takes its beam search to a model of CTC
        "B1",
        "Data2VecAsrTask.build_generator",
        'all(hasattr(model, "get_logits") for model in models)',
        "not models",
        ("tests/tasks/test_data2vec_asr.py", "tests/end_to_end/test_recognition.py"),
    ),
    Fault(  # the head of images is made and bypassed
        "B2",
        "ImageData2Vec.predict",
        "self.config.reference_compat and self.final_proj is not None",
        "self.final_proj is not None",
        ("tests/parity/test_vision.py", "tests/models/test_data2vec_vision.py"),
    ),
    Fault(  # debug prints in the image model
        "B3",
        "RelativePositionBias.forward",
        "self.table[self.index]",
        "self.table[print(self.table.shape) or self.index]",
        ("tests/models/test_data2vec_vision.py",),
    ),
    Fault(  # the classifier leaves a patch out
        "B4",
        "Data2VecImageClassificationModel.pooled",
        "self.cfg.reference_compat",
        "True",
        ("tests/models/test_image_classification.py", "tests/parity/test_image_classification.py"),
    ),
    Fault(  # the pre-norm block loses a residual
        "B5",
        "core.transformer.Block.forward",
        "x = summed = x + self.branch(ffn)",
        "x = summed = self.branch(ffn)",
        ("tests/core/test_transformer.py", "tests/parity/test_pretraining.py"),
    ),
    Fault(  # padding leaks through the position convolutions
        "B7",
        "ConvPositions.__init__",
        "self.leaky = reference_compat",
        "self.leaky = True",
        ("tests/modalities/test_positions.py", "tests/parity/test_pretraining.py"),
    ),
    Fault(  # every row is trimmed to the batch's smallest count
        "B8",
        "masking._equal_goals",
        "trim_to_count or len(set(sizes)) == 1",
        "sizes",
        ("tests/core/test_masking.py",),
    ),
    Fault(  # a generator is asked for what it has not
        "B9",
        "masking._span_lengths",
        "rng.integers(int(config.other), 2 * config.length + 1, size=count)",
        "rng.randint(int(config.other), 2 * config.length + 1, size=count)",
        ("tests/core/test_masking.py",),
    ),
    Fault(  # the same, in fairseq's own masks
        "B9b",
        "_asks_generators_for_randint",
        '"default_rng(" in source and "rng.randint(" in source',
        "False",
        ("tests/compat/test_numpy.py",),
    ),
    Fault(  # a row of about one span cannot be masked
        "B10",
        "masking._row_spans",
        "min(size, max(size - int(lengths.min()), len(lengths) + 1))",
        "size - int(lengths.min())",
        ("tests/core/test_masking.py",),
    ),
    Fault(  # the silence weight is written over
        "B11",
        "DecoderArguments.__setattr__",
        'name != "sil_weight" or not hasattr(self, name) or (not is_imported())',
        "name",
        ("tests/host/launching/test_upstream.py",),
    ),
    Fault(  # a criterion reads arguments that a text model does not have
        "B12",
        "Data2VecTextModel.__init__",
        "self.args = Namespace()",
        "self.arguments = Namespace()",
        ("tests/models/test_data2vec_text.py", "tests/end_to_end/test_text.py"),
    ),
    Fault(  # a saved teacher is not taken up
        "B14",
        "CheckpointedModel._load_from_state_dict",
        'state_dict.pop(prefix + "_ema", None)',
        'state_dict.pop(prefix + "_ema", None) and None',
        ("tests/models/test_text_checkpoints.py", "tests/models/test_vision_checkpoints.py"),
    ),
    Fault(  # one list for all configurations
        "B15",
        "accept_instances.dataclass",
        "_is_hosts(cls)",
        "False",
        ("tests/compat/test_imports.py",),
    ),
    Fault(  # buffers on a GPU that is not there
        "B16",
        "all_gather_list",
        "not torch.cuda.is_available()",
        "False",
        ("tests/compat/test_distributed.py",),
    ),
    Fault(  # another modality's package at import time
        "B17",
        "modalities.image",
        "import math",
        "import math\nimport torchvision",
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
        "loss_scale",
        "1 / math.sqrt(channels) if scale is None else scale",
        "scale",
        ("tests/core/test_loss.py", "tests/models/test_data2vec_text.py"),
    ),
    Fault(  # group norm and averaged instance norm run over the batch
        "B22 B32",
        "normalisation_axes",
        "config.reference_axes and not (config.batch_norm or config.instance_norm)",
        "not (config.batch_norm or config.instance_norm)",
        ("tests/core/test_targets.py", "tests/models/test_data2vec_text.py"),
    ),
    Fault(  # a configuration's string is run
        "B23",
        "parse_conv_layers",
        "parse_literal(text)",
        "eval(text)",
        ("tests/modalities/test_conv_spec.py", "tests/test_architecture.py"),
    ),
    Fault(  # variances of one micro-batch
        "B24",
        "totals_of",
        "sum(log[key] for log in logging_outputs if key in log)",
        "logging_outputs[-1].get(key, 0)",
        ("tests/criterions/test_data2vec.py",),
    ),
    Fault(  # the teacher of text sees what was hidden, and nothing else
        "B25",
        "Data2VecTextModel.forward",
        "self.config.reference_compat",
        "True",
        ("tests/models/test_data2vec_text.py",),
    ),
    Fault(  # a teacher step for every micro-batch, and one more after an overflow
        "B26",
        "Teacher.follow",
        "num_updates <= self.num_updates",
        "num_updates < self.num_updates",
        ("tests/core/test_teacher.py",),
    ),
    Fault(  # the step that a checkpoint owes is skipped
        "B26b",
        "CheckpointedModel._load_from_state_dict",
        "max(self.num_updates - 1, 0)",
        "self.num_updates",
        ("tests/models/test_checkpoints.py", "tests/models/test_text_checkpoints.py"),
    ),
    Fault(  # the count is not saved, nor what it says followed
        "B26c",
        "Teacher.load_state_dict",
        "int(state[UPDATES_KEY])",
        "int(state[UPDATES_KEY]) + 1",
        ("tests/core/test_teacher.py", "tests/models/test_vision_checkpoints.py"),
    ),
    Fault(  # somebody else's class under our name runs
        "B27",
        "register_all",
        'not module.startswith(f"{__package__}.")',
        "not module",
        ("tests/test_registration.py",),
    ),
    Fault(  # a single position convolution cannot be copied
        "B28",
        "modalities.positions",
        "from torch.nn.utils.parametrizations import weight_norm",
        "from torch.nn.utils import weight_norm",
        ("tests/modalities/test_positions.py", "tests/models/test_checkpoints.py"),
    ),
    Fault(  # biases and norms are decayed
        "B29",
        "update_rules.decays",
        'parameter.dim() > 1 and own != "bias" and own not in never',
        "True",
        ("tests/models/test_image_classification.py", "tests/host/training/test_optimizer.py"),
    ),
    Fault(  # a released text checkpoint does not load
        "B30",
        "text_v1.NOT_OURS",
        '"encoder.lm_head."',
        '"encoder.emb_head."',
        ("tests/parity/test_text.py", "tests/models/test_text_checkpoints.py"),
    ),
    Fault(  # padding counts in the targets' statistics
        "B31",
        "targets.moments",
        "padding_mask is None or axes == CHANNEL",
        "True",
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
