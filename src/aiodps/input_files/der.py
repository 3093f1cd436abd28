"""A minimal DER parser, to detect what is encoded: tags and lengths of elements."""

from __future__ import annotations

from dataclasses import dataclass

SEQUENCE = 0x30
INTEGER = 0x02
OID = 0x06
UTF8_STRING = 0x0C
VISIBLE_STRING = 0x1A


@dataclass(frozen=True, slots=True)
class Element:
    """One element of DER (or of BER with an indefinite length)."""

    tag: int
    whole: bytes
    content: bytes

    @property
    def children(self) -> list[Element]:
        """The elements of its content, as far as they can be read; the last may be cut off."""
        return elements(self.content, cut_off=True)


def elements(data: bytes, *, cut_off: bool = False) -> list[Element]:
    """Split data into elements, up to the first that cannot be read.

    Args:
        data: The elements.
        cut_off: Whether to return an element that ends after the data.
    """
    found: list[Element] = []
    at = 0
    while (header := _header(data, at)) is not None:
        start, end = at + header[0], at + sum(header)
        if end > len(data) and not cut_off:
            break

        found.append(Element(data[at], data[at:end], data[start:end]))
        at = end

    return found


def is_der(data: bytes) -> bool:
    """Whether the data begins with a sequence, and not with the character 0."""
    return data[:1] == bytes([SEQUENCE]) and (
        data[1:2] >= b"\x80" or len(data) == 2 + sum(data[1:2])
    )


def is_cut_off(data: bytes) -> bool:
    """Whether the data begins with a sequence that is longer than the data."""
    header = _header(data, 0)
    return is_der(data) and (header is None or sum(header) > len(data))


def sequence(*parts: bytes) -> bytes:
    """Encode a sequence of elements."""
    return element(SEQUENCE, b"".join(parts))


def element(tag: int, content: bytes) -> bytes:
    """Encode an element."""
    size = len(content)
    if size < 0x80:  # noqa: PLR2004 (DER's short form of a length)
        return bytes([tag, size]) + content

    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _header(data: bytes, at: int) -> tuple[int, int] | None:
    """Return the sizes of header and content of an element; None if there is no header."""
    if at + 2 > len(data):
        return None

    first = data[at + 1]
    if first < 0x80:  # noqa: PLR2004 (DER's short form of a length)
        return 2, first

    if first == 0x80:  # noqa: PLR2004 (BER's indefinite length: up to the end)
        return 2, len(data) - at - 2

    count = first & 0x7F
    if at + 2 + count > len(data):
        return None

    return 2 + count, int.from_bytes(data[at + 2 : at + 2 + count], "big")
