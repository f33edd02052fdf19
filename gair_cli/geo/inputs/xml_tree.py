"""Metadata files parsed without trusting them: no entities, no document types, bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from gair_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES: Final = 64 * 2**20
_DEEPEST: Final = 100
_MOST_ELEMENTS: Final = 2_000_000


def parse_xml(data: bytes, name: str) -> Element:
    """Parse an XML document; tags lose their namespaces.

    Args:
        data: The document in any encoding that it declares.
        name: What messages call it.

    Returns:
        The root element.

    Raises:
        InputError: If it is no XML, too large, too deep, or declares a document type or entities.
    """
    if len(data) > MOST_BYTES:
        raise InputError(f"{name} has {len(data)} bytes, too many for metadata")
    reader = _Reader(name)
    try:
        return reader.read(data)
    except (expat.ExpatError, LookupError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} is not well-formed XML: {error}") from error


class _Reader:
    """An expat parser that builds a tree and stops at whatever could be an attack."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._builder = TreeBuilder()
        self._depth = self._elements = 0
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._builder.data
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.EntityDeclHandler = self._refuse_doctype

    def read(self, data: bytes) -> Element:
        self._parser.Parse(data, True)
        return self._builder.close()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > _DEEPEST or self._elements > _MOST_ELEMENTS:
            raise InputError(f"{self._name} is nested too deeply or has too many elements")
        self._builder.start(_local(tag), {_local(key): text for key, text in attributes.items()})

    def _end(self, tag: str) -> None:
        self._depth -= 1
        self._builder.end(_local(tag))

    def _refuse_doctype(self, *_: Any) -> None:
        raise InputError(
            f"{self._name} declares a document type or entities, which product metadata never do"
        )


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def texts(root: Element, tag: str) -> Iterator[str]:
    """Yield the texts of all elements of one name that have any, in document order."""
    for element in root.iter(tag):
        text = (element.text or "").strip()
        if text:
            yield text


def text_of(root: Element, *tags: str) -> str | None:
    """Return the text of the first element that has one of these names, tried in this order."""
    for tag in tags:
        for text in texts(root, tag):
            return text
    return None
