"""fairseq imports, with its own classes as defaults, and nobody else's."""

import dataclasses
import sys
from types import SimpleNamespace

import pytest

from data2vec_compat.patches import imports

pytest.importorskip("fairseq")


class TestMutableDefaults:
    """Python ≥ 3.11; `hydra_init` reads `field.default`, so a factory would be no mend."""

    def test_fairseqs_defaults_stay_where_hydra_init_reads_them(self) -> None:
        from fairseq.dataclass.configs import CommonConfig, FairseqConfig

        assert isinstance(FairseqConfig.__dataclass_fields__["common"].default, CommonConfig)

    def test_subclass_of_fairseq_dataclass_with_a_plain_dataclass(self) -> None:
        from fairseq.dataclass import FairseqDataclass

        @dataclasses.dataclass
        class Plain:
            size: int = 3

        @dataclasses.dataclass
        class Outer(FairseqDataclass):
            plain: Plain = Plain()  # noqa: RUF009

        assert Outer().plain == Plain(3)

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="Python accepts these defaults")
    def test_other_peoples_classes_are_refused_as_ever(self) -> None:
        @dataclasses.dataclass
        class Plain:
            size: int = 3

        with pytest.raises(ValueError, match="mutable default"):

            @dataclasses.dataclass
            class Outer:
                plain: Plain = Plain()  # noqa: RUF009

        assert Plain.__hash__ is None

    def test_lists_are_refused_as_ever(self) -> None:
        from fairseq.dataclass import FairseqDataclass

        with pytest.raises(ValueError, match="mutable default"):

            @dataclasses.dataclass
            class Outer(FairseqDataclass):
                sizes: list = []  # noqa: RUF008

    def test_nothing_to_mend(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(imports, "_python_refuses", lambda: False)
        module = SimpleNamespace(dataclass=dataclasses.dataclass)
        assert imports.accept_instances(module) is False
        assert module.dataclass is dataclasses.dataclass
