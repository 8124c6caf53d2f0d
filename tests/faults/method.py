"""Faults of how the method's parts work together."""

from faults.fault import Fault

METHOD = (
    Fault(  # a teacher's buffers never follow the student's
        "D1",
        "Teacher._pairs",
        "copied.extend((self.buffers[name], buffer) for name, buffer in theirs if name in self.buffers)",
        "None",
        ("tests/core/test_teacher.py::test_buffers_follow",),
    ),
    Fault(  # fine-tuning under fairseq's `sentence_prediction` carries, steps and saves a teacher
        "D2",
        "Data2VecTextModel.register_classification_head",
        "self.method = HeadedEncoder(self.method)",
        "pass",
        ("tests/models/test_data2vec_text.py::test_a_model_with_a_head_carries_no_teacher",),
    ),
    Fault(  # the student's blocks are compiled, the teacher's are not
        "D3",
        "teacher._frozen_copy",
        "part.compile_blocks()",
        "None",
        ("tests/models/test_whole_graphs.py",),
    ),
    Fault(  # the teacher is the copy of a student that has not been loaded yet
        "D4",
        "core.model.Taught.restore_teacher",
        "self.teacher = None",
        "pass",
        ("tests/models/test_checkpoints.py::test_state_without_a_teacher_starts_one_from_the_loaded_student",),
    ),
    Fault(  # moments of a run of before go to other parameters
        "D5",
        "interop.parts.FIRST_ORDER",
        '"predictor.", "encoder.embedder."',
        '"encoder.embedder.", "predictor."',
        ("tests/interop/test_parts.py::test_the_first_order_is_the_recorded_one",),
    ),
)
