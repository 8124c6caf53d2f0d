"""Better errors for overrides. For a misspelt one, hydra advises to append it, which creates a key that is never read.

For a value outside its grammar, such as a path with an accent, hydra only shows the name of an exception.
"""

import functools
import inspect
import shlex
import sys
from types import ModuleType
from typing import Any, Callable, Optional, Sequence

from .ours import asks_for_us, is_ours
from .unknown_keys import chosen, dataclass_of, message


def say_what_was_meant(module: ModuleType) -> bool:
    """Wraps the two functions in which hydra merges a recipe and its overrides; only what they raise changes."""
    loader = module.ConfigLoaderImpl  # type: ignore[attr-defined]
    apply, load = loader._apply_overrides_to_config, loader.load_configuration

    @functools.wraps(apply)
    def _apply_overrides_to_config(overrides: Any, cfg: Any) -> Any:
        words = [override.input_line for override in overrides]
        return _explained(lambda: apply(overrides, cfg), cfg, lambda: is_ours(cfg) or any(map(asks_for_us, words)))

    @functools.wraps(load)
    def load_configuration(self: Any, config_name: Any, overrides: Any, *args: Any, **kwargs: Any) -> Any:
        return _explained(
            lambda: load(self, config_name, overrides, *args, **kwargs),
            None,
            lambda: recipe_is_ours(self, config_name, overrides),
        )

    loader._apply_overrides_to_config = staticmethod(_apply_overrides_to_config)
    loader.load_configuration = load_configuration
    return True


def advise_quotes(module: ModuleType) -> bool:
    """Adds to hydra's error for a value that cannot be parsed how to quote it in a shell."""
    loader = module.ConfigLoaderImpl  # type: ignore[attr-defined]
    stock = loader.load_configuration

    @functools.wraps(stock)
    def load_configuration(self: Any, config_name: Any, overrides: Any, *args: Any, **kwargs: Any) -> Any:
        from hydra.errors import OverrideParseException

        try:
            return stock(self, config_name, overrides, *args, **kwargs)
        except OverrideParseException as error:
            quoted = _in_quotes(error.override) if recipe_is_ours(self, config_name, overrides) else ""
            if not quoted:
                raise
            message = f"{error}\nQuote the value, and quote the whole argument for the shell: {quoted}"
            raise OverrideParseException(error.override, message) from error.__cause__

    loader.load_configuration = load_configuration
    return True


def recipe_is_ours(loader: Any, config_name: Optional[str], overrides: Sequence[str]) -> bool:
    """Whether a recipe that could not be composed is, with its overrides, a data2vec recipe."""
    if any(map(asks_for_us, overrides)):
        return True
    read = loader.repository.load_config
    primary = {"is_primary_config": True} if "is_primary_config" in inspect.signature(read).parameters else {}
    found = None if config_name is None else read(config_path=config_name, **primary)
    return found is not None and is_ours(found.config)


def _in_quotes(override: str) -> str:
    """Return the override with its value quoted, for a shell; empty if quotes do not help, or would change a list."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    key, _, value = override.partition("=")
    if not key or not value or value[0] in "[{" or '"' in value:
        return ""
    try:
        OverridesParser.create().parse_rule(f'{key}="{value}"', "override")
    except HydraException:
        return ""
    return shlex.quote(f'{key}="{value}"')


def _explained(merge: Callable[[], Any], cfg: Any, ours: Callable[[], bool]) -> Any:
    from hydra.errors import ConfigCompositionException

    try:
        return merge()
    except ConfigCompositionException as error:
        message = _what_was_meant(error.__cause__, cfg) if ours() else ""
        if not message:
            raise
        # hydra prints the first line, ours in place of its advice, and what omegaconf said
        raise ConfigCompositionException(f"{str(error).splitlines()[0]}\n{message}") from error.__cause__


def _what_was_meant(cause: Any, cfg: Any) -> str:
    """Return the message for the key that omegaconf refused; `cfg` holds what was merged before, if anything."""
    section, _, key = str(getattr(cause, "full_key", None) or "").partition(".")
    if "fairseq" not in sys.modules or not key:
        return ""
    name = None if cfg is None else _chosen(section, cfg)
    dataclass = dataclass_of(section, name)
    return "" if dataclass is None else message(dataclass, _only(key, name), section)


def _chosen(section: str, cfg: Any) -> Optional[str]:
    """The name of a section's model, task, …, once our plugin has registered its own."""
    from fairseq.utils import import_user_module

    import_user_module(cfg.common)
    return chosen(cfg, section)


def _only(key: str, name: Optional[str]) -> Any:
    """Return a section with only that key."""
    from omegaconf import OmegaConf

    value: Any = None
    for part in reversed(key.split(".")):
        value = {part: value}
    return OmegaConf.create({"_name": name, **value})
