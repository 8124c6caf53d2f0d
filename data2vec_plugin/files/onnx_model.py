"""Facts about an ONNX file, which is not run, and whose weights are not loaded.

The file is a protocol buffer, `ModelProto` of the ONNX standard: numbered fields, some of which hold others. Only a few
of them are read here, so no package is needed.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from .opening import opened, size_of
from .unusable import UnusableFileError

VARINT, EIGHT_BYTES, INSIDE, FOUR_BYTES = 0, 1, 2, 5
"""How a field's value is written."""
LONGEST_TEXT = 1 << 22
"""Bytes of a name or of one entry of the metadata that are read."""
NEWEST_LAYOUT = 64
"""Above any version of the file's layout for years to come; ONNX 1.20 writes 13."""
AGAIN = "copy it again, or create it again with `data2vec export`"

# numbers of fields in the standard's messages
LAYOUT, PRODUCER, GRAPH, OPERATORS, METADATA = 1, 2, 7, 8, 14
NODE, WEIGHT, INPUT, OUTPUT = 1, 5, 11, 12
OPERATOR = 4
SHAPE, KIND = 1, 2
PRECISIONS = {1: "float32", 2: "uint8", 3: "int8", 10: "float16", 11: "float64", 16: "bfloat16"}
"""Types of weights; shapes and indices have other types."""


class Span(NamedTuple):
    """Where in the file the value of a field lies."""

    start: int
    end: int


Value = Union[int, Span]


@dataclass
class OnnxModel:
    """Facts of a file. ``opsets`` are versions by the domain of their operators, "" being ONNX's own."""

    layout: int = 0
    producer: str = ""
    opsets: Dict[str, int] = field(default_factory=dict)
    metadata: Dict[str, str] = field(default_factory=dict)
    inputs: List[str] = field(default_factory=list)
    outputs: List[str] = field(default_factory=list)
    operators: Counter[str] = field(default_factory=Counter)
    parameters: Counter[str] = field(default_factory=Counter)
    """Number of weights by precision."""


def is_onnx(path: Path) -> bool:
    """Whether a file begins as ONNX files do, with the small number of its layout."""
    with opened(path) as file:
        head = file.read(3)
    return len(head) == 3 and head[0] == LAYOUT << 3 and 0 < head[1] < NEWEST_LAYOUT and head[2] & 7 in (VARINT, INSIDE)


def read_onnx(path: Path) -> OnnxModel:
    """Read the facts of a file; raises :class:`UnusableFileError` if it is not an ONNX file, or is not complete."""
    with opened(path) as file:
        reader = _Reader(path, file)
        model = OnnxModel()
        graph: Optional[Span] = None
        for number, value in reader.fields(Span(0, size_of(file))):
            if number == LAYOUT and isinstance(value, int):
                model.layout = value
            elif isinstance(value, Span) and number == PRODUCER:
                model.producer = reader.text(value)
            elif isinstance(value, Span) and number == OPERATORS:
                domain, version = reader.pair(value)
                model.opsets[str(domain)] = int(version or 0)
            elif isinstance(value, Span) and number == METADATA:
                key, text = reader.pair(value)
                model.metadata[str(key)] = str(text)
            elif isinstance(value, Span) and number == GRAPH:
                graph = value
        if graph is None or not model.opsets:
            raise UnusableFileError.of(path, f"is not an ONNX file: it holds no graph or no operators; {AGAIN}")
        _read_graph(model, reader, graph)
    return model


def _read_graph(model: OnnxModel, reader: _Reader, graph: Span) -> None:
    for number, value in reader.fields(graph):
        if not isinstance(value, Span):
            continue
        if number == NODE:
            model.operators[reader.text_of(value, OPERATOR)] += 1
        elif number == WEIGHT:
            precision, count = reader.weight(value)
            if precision:
                model.parameters[precision] += count
        elif number in (INPUT, OUTPUT):
            (model.inputs if number == INPUT else model.outputs).append(reader.text_of(value, 1))


class _Reader:
    """Reads fields of an open file."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file

    def fields(self, inside: Span) -> Iterator[Tuple[int, Value]]:
        """Yield the number and the value of each field of a message; texts and messages as their span in the file."""
        place = inside.start
        while place < inside.end:
            self.file.seek(place)
            key = self.varint()
            kind = key & 7
            if kind == VARINT:
                value: Value = self.varint()
                place = self.file.tell()
            elif kind == INSIDE:
                size = self.varint()
                start = self.file.tell()
                value, place = Span(start, start + size), start + size
            elif kind in (EIGHT_BYTES, FOUR_BYTES):
                value = 0
                place = self.file.tell() + (8 if kind == EIGHT_BYTES else 4)
            else:
                raise UnusableFileError.of(self.path, f"is not an ONNX file, or damaged at byte {place:,}; {AGAIN}")
            if place > inside.end:
                raise UnusableFileError.of(
                    self.path,
                    f"is damaged or truncated: it refers to {place:,} bytes, but has {inside.end:,}; {AGAIN}",
                )
            yield key >> 3, value

    def varint(self) -> int:
        """Read a number of variable length: seven bits per byte, the lowest first."""
        number = 0
        for shift in range(0, 70, 7):
            byte = self.file.read(1)
            if not byte:
                break
            number |= (byte[0] & 127) << shift
            if byte[0] < 128:
                return number
        raise UnusableFileError.of(self.path, f"is not an ONNX file, or damaged at byte {self.file.tell():,}; {AGAIN}")

    def text(self, span: Span) -> str:
        """Read a name or a text."""
        if span.end - span.start > LONGEST_TEXT:
            raise UnusableFileError.of(self.path, f"holds a name of {span.end - span.start:,} bytes; {AGAIN}")
        self.file.seek(span.start)
        return self.file.read(span.end - span.start).decode("utf-8", "replace")

    def text_of(self, inside: Span, number: int) -> str:
        """Read the text in the field ``number`` of a message; empty if there is none."""
        for found, value in self.fields(inside):
            if found == number and isinstance(value, Span):
                return self.text(value)
        return ""

    def pair(self, inside: Span) -> Tuple[Union[str, int], Union[str, int]]:
        """Read the fields 1 and 2 of a message, each a text or a number; empty if missing."""
        found: Dict[int, Union[str, int]] = {1: "", 2: ""}
        for number, value in self.fields(inside):
            if number in found:
                found[number] = self.text(value) if isinstance(value, Span) else value
        return found[1], found[2]

    def weight(self, inside: Span) -> Tuple[str, int]:
        """Read a weight's precision, empty if it is not a weight, and its number of values."""
        shape: List[int] = []
        kind = 0
        for number, value in self.fields(inside):
            if number == SHAPE:
                shape += self.numbers(value) if isinstance(value, Span) else [value]
            elif number == KIND and isinstance(value, int):
                kind = value
        return PRECISIONS.get(kind, ""), math.prod(shape)

    def numbers(self, span: Span) -> List[int]:
        """Read the numbers packed in one field."""
        self.file.seek(span.start)
        found = []
        while self.file.tell() < span.end:
            found.append(self.varint())
        return found
