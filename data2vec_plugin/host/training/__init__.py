"""fairseq's trainer where a run is ours, and the optimizer that it builds."""

import fairseq  # noqa: F401  first, because the plugin's modules register on import
