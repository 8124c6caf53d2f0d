"""A module with a few names replaced, visible to one importing module only."""

from types import ModuleType
from typing import Any, List


class ModuleProxy(ModuleType):
    """Replaces `module` inside one other module; the real one is unchanged.

    Example:
        >>> data_utils.np = ModuleProxy(numpy, int=int)
    """

    def __init__(self, module: ModuleType, **replaced: Any) -> None:
        super().__init__(module.__name__, module.__doc__)
        self.__dict__.update(replaced)
        self.__dict__["__wrapped__"] = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["__wrapped__"], name)

    def __dir__(self) -> List[str]:
        return sorted({*dir(self.__dict__["__wrapped__"]), *self.__dict__})
