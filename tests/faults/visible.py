"""Faults of data2vec 2.0: upstream's, and those of parts that must go together."""

from faults.fault import Fault

PARTS = "tests/modalities/test_visible.py"

VISIBLE = (
    Fault(  # blocks that are to stay visible are hidden
        "B6",
        "ExactMasker.sample",
        "return ~mask if config.inverse and not single else mask",
        "return mask",
        ("tests/core/masks/test_exact_masking.py::test_statistics_are_the_recorded_ones",),
    ),
    Fault(  # how much is kept follows from the first row
        "B33",
        "masks.mask.visible_positions",
        "most = int(counts.max(initial=0))",
        "most = int(counts[0])",
        (f"{PARTS}::test_rows_may_hide_different_counts",),
    ),
    Fault(  # the utterance's loss is a sum where a mean is meant
        "B34",
        "Utterance.divisor",
        "return token.size(0)",
        "return 1",
        (f"{PARTS}::test_the_utterances_loss_is_a_mean",),
    ),
    Fault(  # padding leaks through the decoder's convolutions
        "V1",
        "ConvDecoder.forward",
        "padding_mask is not None",
        "False",
        (f"{PARTS}::test_a_padded_row_is_the_same_row_alone",),
    ),
    Fault(  # positions are made of what is masked, too
        "V2",
        "VisibleView.blanked",
        "x.masked_fill(hidden, 0)",
        "x",
        (f"{PARTS}::test_what_is_masked_reaches_no_prediction",),
    ),
    Fault(  # what the student lends its teacher drops as in training
        "V3",
        "core.teacher.Teacher.encode",
        "evaluating(lent)",
        "contextlib.nullcontext()",
        (f"{PARTS}::test_what_the_student_lends_its_teacher_drops_nothing",),
    ),
    Fault(  # copies of a row share one mask
        "V4",
        "data.sample_seeds.SampleSeeds.of_mask",
        "row_generator(self.seed, epoch, index, copy)",
        "row_generator(self.seed, epoch, index)",
        ("tests/tasks/multi",),
    ),
)
