"""Actor descriptions from the wire or a file, completed and checked before anybody else reads them.

A client that meets an attribute of the wrong kind aborts, so every value is checked against its blueprint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.world.blueprints import AttributeKind, Blueprint

_LONGEST_VALUE = 4096  # characters of an attribute
_COLOUR = re.compile(r"\d{1,3},\d{1,3},\d{1,3}")
_FLAGS = {"true", "false", "1", "0"}


def complete(blueprint: Blueprint, given: Iterable[tuple[str, int, str]]) -> tuple[dict[str, str], list[list]]:
    """(values by name, ActorAttributeValues for other clients) of an actor.

    Args:
        blueprint: gives the kinds, and the values of what is not given.
        given: name, kind and value of each attribute.

    Raises:
        MethodError: a value that does not fit its kind.
    """
    attributes = blueprint.defaults()
    kinds = {a.name: a.kind for a in blueprint.attributes}
    for name, kind, text in given:
        name = structs.short_text(name, "attribute name")
        kinds.setdefault(name, AttributeKind(kind))
        attributes[name] = _checked(name, kinds[name], text)
    return attributes, [[name, int(kinds[name]), text] for name, text in attributes.items()]


def _checked(name: str, kind: AttributeKind, raw: str) -> str:
    text = structs.short_text(raw, f"attribute {name}", _LONGEST_VALUE)
    try:
        if kind is AttributeKind.INT:
            structs.whole(int(text), name, -(1 << 31), (1 << 31) - 1)
        elif kind is AttributeKind.FLOAT:
            structs.number(text, name)
    except ValueError as error:
        raise MethodError(f"attribute {name} is {text!r:.80}; use a number") from error
    if kind is AttributeKind.BOOL and text.lower() not in _FLAGS:
        raise MethodError(f"attribute {name} is {text!r:.80}; use true or false")
    if kind is AttributeKind.COLOUR and not _COLOUR.fullmatch(text):
        raise MethodError(f"attribute {name} is {text!r:.80}; use a colour as 'red,green,blue' with 0 to 255 each")
    return text
