"""Turns a verb that takes blocks of options into the function that typer reads: one parameter an option."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def flattened(verb: Callable[..., None]) -> Callable[..., None]:
    """Returns the verb with a parameter for every field of the dataclasses that it takes, in the same order."""
    own = signature(verb).parameters
    kinds = get_type_hints(verb, include_extras=True)
    blocks = {name: kinds[name] for name in own if is_dataclass(kinds[name])}
    parameters = [
        each
        for name, parameter in own.items()
        for each in (
            _parameters(blocks[name])
            if name in blocks
            else (parameter.replace(annotation=kinds[name], kind=Parameter.KEYWORD_ONLY),)
        )
    ]

    @wraps(verb)
    def call(**given: Any) -> None:
        made = {name: _made(block, given) for name, block in blocks.items()}
        verb(**made, **{name: given[name] for name in own if name not in blocks})

    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    return call


def _parameters(block: Any) -> Iterator[Parameter]:
    """Yields a parameter for every field, and those of the blocks among them."""
    kinds = get_type_hints(block, include_extras=True)
    for field in fields(block):
        kind = kinds[field.name]
        if is_dataclass(kind):
            yield from _parameters(kind)
        else:
            default = Parameter.empty if field.default is MISSING else field.default
            yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _made(block: Any, given: Mapping[str, Any]) -> Any:
    """Makes the block from the given options."""
    kinds = get_type_hints(block, include_extras=True)
    return block(
        **{
            field.name: _made(kinds[field.name], given) if is_dataclass(kinds[field.name]) else given[field.name]
            for field in fields(block)
        }
    )
