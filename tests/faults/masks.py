"""Faults of masks, and of their way from the loader to the model."""

from faults.fault import Fault

DRAWN = "tests/core/masks/test_masking.py"
RUNS = "tests/tasks/test_masks_of_runs.py"
TUNING = "tests/tasks/test_fine_tuning_masks.py"

MASKS = (
    Fault(  # samples of an epoch share generators: 38,609 for 1.28 million
        "K1",
        "masking.row_generator",
        "np.random.default_rng((seed, epoch, index, copy))",
        "np.random.default_rng(int(hash((seed, epoch, index)) % 1e6))",
        (f"{DRAWN}::test_no_two_samples_of_an_epoch_share_a_generator",),
    ),
    Fault(  # a crop is drawn by the generator of its mask, since NumPy fills a short seed up with zeros
        "K1b",
        "SampleSeeds.of_view",
        "(*of_before, 0, 1)",
        "of_before",
        ("tests/data/test_sample_seeds.py::test_a_crop_is_not_drawn_by_the_generator_of_a_mask",),
    ),
    Fault(  # a resumed run goes on with other masks than it began with
        "K1c",
        "ResumableIterator.load_state_dict",
        "self.seeds.go_on(state_dict.get(RULE))",
        "None",
        (f"{RUNS}::test_a_resumed_run_goes_on_with_the_masks_it_began_with", TUNING),
    ),
    Fault(  # what is dropped of a masked row may be all of it
        "K2",
        "masking.span_mask",
        "min(int(np.rint(len(hidden) * config.dropout)), max(len(hidden) - 1, 0))",
        "int(np.rint(len(hidden) * config.dropout))",
        (f"{DRAWN}::test_dropout_leaves_a_masked_row_masked",),
    ),
    Fault(  # rows that are too short are told to mask more
        "K3",
        "masking.check_hides",
        "rows == 0 or longest < 2",
        "False",
        (f"{DRAWN}::test_a_batch_in_which_nothing_is_masked_says_why",),
    ),
    Fault(  # positions are believed that are not those of the mask
        "K4",
        "core.masks.mask.Mask.given",
        'indices.device.type == positions.device.type == "cpu"',
        "False",
        ("tests/core/test_outputs.py",),
    ),
    Fault(  # pictures start to train with all of them hidden, or with targets of more layers than there are
        "K5",
        "MaskingImageTask.build_model",
        'isinstance(getattr(model, "image", None), ImageConfig) and not from_checkpoint',
        "False",
        ("tests/tasks/test_image_pretraining.py::test_models_that_cannot_pretrain_are_refused",),
    ),
    Fault(  # masks of channels are told by the keys of those of frames
        "K6",
        "config_keys.CHANNEL_KEYS",
        'span_keys("mask_channel")',
        'span_keys("mask")',
        ("tests/models/test_audio_config.py::test_masks_that_cannot_be_are_told_by_their_key",),
    ),
    Fault(  # fairseq's encoder drops the loader's mask, and ours draws another, for which it waits
        "K7",
        "encoder_masks.encode",
        'kwargs.pop("mask", None)',
        'kwargs.pop("mask", None) and None',
        (f"{TUNING}::test_the_encoder_sees_the_loaders_masks_and_draws_none",),
    ),
    Fault(  # what is fine-tuned is evaluated with masks
        "K7b",
        "brought_mask.brought",
        "(_brought.get() or mask) if mask else mask",
        "_brought.get() or mask",
        (f"{TUNING}::test_only_training_is_masked",),
    ),
)
