"""hydra answers a misspelt override with the advice to append it, which makes a key that nobody reads.

A value that its grammar does not know, a path with an accent above all, it answers with the name of an exception.
"""

import functools
import shlex
import sys
from types import ModuleType
from typing import Any, Callable, Optional

from data2vec_compat import unknown_keys
from data2vec_compat.registry import patch


@patch(
    "override errors",
    "hydra._internal.config_loader_impl",
    why="a misspelt key of a recipe is told what was meant, not to put a + in front",
)
def mend(module: ModuleType) -> bool:
    """Wraps the two functions in which hydra merges a recipe and its overrides; only what they raise changes."""
    loader = module.ConfigLoaderImpl  # type: ignore[attr-defined]
    apply, load = loader._apply_overrides_to_config, loader.load_configuration

    @functools.wraps(apply)
    def _apply_overrides_to_config(overrides: Any, cfg: Any) -> Any:
        return _explained(lambda: apply(overrides, cfg), cfg)

    @functools.wraps(load)
    def load_configuration(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _explained(lambda: load(self, *args, **kwargs), None)

    loader._apply_overrides_to_config = staticmethod(_apply_overrides_to_config)
    loader.load_configuration = load_configuration
    return True


@patch(
    "override quotes",
    "hydra.core.override_parser.overrides_parser",
    why="a path with an accent ends in `LexerNoViableAltException`, without a word of quotes",
)
def advise_quotes(module: ModuleType) -> bool:
    """Says how a value that cannot be read would be, as the user would type it."""
    parser = module.OverridesParser  # type: ignore[attr-defined]
    stock = parser.parse_overrides

    @functools.wraps(stock)
    def parse_overrides(self: Any, overrides: Any) -> Any:
        from hydra.errors import OverrideParseException

        try:
            return stock(self, overrides)
        except OverrideParseException as error:
            quoted = _in_quotes(self, error.override) if "fairseq" in sys.modules else ""
            if not quoted:
                raise
            told = f"{error}\nPut the value in quotes, and all of it in the shell's: {quoted}"
            raise OverrideParseException(error.override, told) from error.__cause__

    parser.parse_overrides = parse_overrides
    return True


def _in_quotes(parser: Any, override: str) -> str:
    """The override as a shell takes it, its value quoted; empty where quotes would not do, or make text of a list."""
    from hydra.errors import HydraException

    key, _, value = override.partition("=")
    if not key or not value or value[0] in "[{" or '"' in value:
        return ""
    try:
        parser.parse_rule(f'{key}="{value}"', "override")
    except HydraException:
        return ""
    return shlex.quote(f'{key}="{value}"')


def _explained(merge: Callable[[], Any], cfg: Any) -> Any:
    from hydra.errors import ConfigCompositionException

    try:
        return merge()
    except ConfigCompositionException as error:
        told = _what_was_meant(error.__cause__, cfg)
        if not told:
            raise
        # hydra prints the first line, ours in place of its advice, and what omegaconf said
        raise ConfigCompositionException(f"{str(error).splitlines()[0]}\n{told}") from error.__cause__


def _what_was_meant(cause: Any, cfg: Any) -> str:
    """What to say of the key that omegaconf refused; nothing about other programs' configurations."""
    section, _, key = str(getattr(cause, "full_key", None) or "").partition(".")
    if "fairseq" not in sys.modules or not key:
        return ""
    ours = cfg is not None and unknown_keys.is_ours(cfg)
    if not ours and not getattr(cause.object_type, "__module__", "").startswith("fairseq."):
        return ""
    chosen = _chosen(section, cfg) if ours else None
    dataclass = unknown_keys.dataclass_of(section, chosen)
    return "" if dataclass is None else unknown_keys.message(dataclass, _only(key, chosen), section)


def _chosen(section: str, cfg: Any) -> Optional[str]:
    """The name of a section's model, task, …, once our plugin has registered its own."""
    from fairseq.utils import import_user_module

    import_user_module(cfg.common)
    return unknown_keys.chosen(cfg, section)


def _only(key: str, chosen: Optional[str]) -> Any:
    """A section with that one key."""
    from omegaconf import OmegaConf

    value: Any = None
    for part in reversed(key.split(".")):
        value = {part: value}
    return OmegaConf.create({"_name": chosen, **value})
