"""A plugin of mypy: functions of dataclasses do not take a msgspec Struct, though mypy alone would let them.

mypy reads a Struct as a dataclass, so that `dataclasses.replace` of one passes its check and fails when it runs.
`msgspec.structs.replace` is checked as mypy checks `dataclasses.replace`: names and types of what is changed.
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.plugin import FunctionContext, FunctionSigContext, Plugin
from mypy.plugins.dataclasses import replace_function_sig_callback
from mypy.types import AnyType, FunctionLike, Instance, Type, TypeVarType, UnionType, get_proper_type

FUNCTIONS = {f"dataclasses.{name}": use for name, use in (
    ("replace", "msgspec.structs.replace"), ("asdict", "msgspec.structs.asdict"), ("fields", "msgspec.structs.fields"),
    ("astuple", "msgspec.structs.astuple"),
)}  # fmt: skip
"""Function of dataclasses -> what does the same for a Struct."""


REPLACE = "msgspec.structs.replace"


class Structs(Plugin):
    """Finds calls of FUNCTIONS with a Struct."""

    def get_function_signature_hook(self, fullname: str) -> Callable[[FunctionSigContext], FunctionLike] | None:
        """Return mypy's own check of `replace` for that of msgspec, None for other functions."""
        return replace_function_sig_callback if fullname == REPLACE else None

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Return the check of a call, None for other functions."""
        if fullname == REPLACE:
            return _of_a_struct
        use = FUNCTIONS.get(fullname)
        return None if use is None else lambda call: _checked(call, use)


def _checked(call: FunctionContext, use: str) -> Type:
    if any(_is_struct(kind) for kind in call.arg_types[0]):
        call.api.fail(f"This is a msgspec Struct: use {use}", call.context)
    return call.default_return_type


def _of_a_struct(call: FunctionContext) -> Type:
    if not any(_is_struct(kind) or isinstance(get_proper_type(kind), AnyType) for kind in call.arg_types[0]):
        call.api.fail("This is no msgspec Struct: use dataclasses.replace", call.context)
    return call.default_return_type


def _is_struct(kind: Type) -> bool:
    proper = get_proper_type(kind)
    if isinstance(proper, TypeVarType):
        return _is_struct(proper.upper_bound)
    if isinstance(proper, UnionType):
        return any(_is_struct(item) for item in proper.items)
    return isinstance(proper, Instance) and any(base.fullname == "msgspec.Struct" for base in proper.type.mro)


def plugin(version: str) -> type[Plugin]:
    """Return the plugin, as mypy asks for it."""
    return Structs
