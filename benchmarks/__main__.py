"""Run all benchmarks, or those named on the command line."""

import sys
from importlib import import_module

NAMES = (
    "kernels",
    "feature_extractor",
    "audio_update",
    "text_update",
    "long_manifest",
    "image_loader",
    "image_update",
    "multi_update",
    "convert",
    "transcribe",
    "mtag",
    "onnx",
)

for name in sys.argv[1:] or NAMES:
    if name not in NAMES:
        sys.exit(f"no benchmark {name!r}; expected one of {', '.join(NAMES)}")
    import_module(f"benchmarks.{name}").main()
