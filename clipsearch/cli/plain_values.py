"""Take the values of options that need no conversion as they are, without pydantic.

Typer converts every value with pydantic, one that is missing too, and pydantic takes longer to import than a query
needs from its parsed words to its hits.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

from typer.core import TyperArgument, TyperGroup, TyperOption

from clipsearch.cli.completion import add_completion, is_completing
from clipsearch.cli.examples import shorten_help, show_plainly

# Longer ones are left to typer.
_MAX_DIGITS = 9


class PlainGroup(TyperGroup):
    """Group that takes plain values as they are, as do its commands."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _take_plain(super().get_params(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            _take_plain(command.get_params(ctx))  # with --help, which is made once
            shorten_help(command)
        return command


def _take_plain(parameters: list[Any]) -> list[Any]:
    """Replace the converters of parameters, and return the parameters."""
    for parameter in parameters:
        show_plainly(parameter)
        if isinstance(parameter, TyperArgument | TyperOption) and "get_runtime_param" not in vars(parameter):
            # Typer makes its converter at the first use; so does this, for other values.
            parameter.get_runtime_param = _PlainValues(parameter.get_runtime_param).get  # type: ignore[method-assign]
    if is_completing():
        add_completion(parameters)
    return parameters


class _PlainValues:
    """Converter of a parameter's values, like `typer._coercion.RuntimeParam`; errors are left to that one."""

    def __init__(self, make_converter: Callable[[], Any]) -> None:
        self._make_converter = make_converter

    def get(self) -> Any:
        return self

    def coerce(self, value: Any, param: TyperArgument | TyperOption, ctx: Any) -> Any:
        annotation, is_list = param.type_descriptor.annotation, param.multiple or param.nargs == -1
        if value is None:
            return () if is_list else None
        is_choice = getattr(annotation, "__origin__", None) is Literal and value in get_args(annotation)
        if is_choice or (annotation is str and type(value) is str):
            return value
        if annotation == list[str] and isinstance(value, list | tuple) and all(type(each) is str for each in value):
            return list(value)
        if annotation in (int, float) and type(value) is annotation and value == param.default:
            return value
        if annotation is int and isinstance(value, str) and _is_number(value, param):
            return int(value)
        return self._make_converter().coerce(value, param=param, ctx=ctx)


def _is_number(text: str, param: TyperArgument | TyperOption) -> bool:
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        return False
    info = param.type_descriptor.parameter_info
    return (info.min is None or int(text) >= info.min) and (info.max is None or int(text) <= info.max)
