"""The body of an answer: read within bounds, decoded within bounds."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any, Final

from execloop.library.http.errors import BadAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["LARGEST", "decoded", "parsed", "read"]

LARGEST: Final = 4 * 1024 * 1024
"""Bytes, as sent and as decoded: a small answer may decode to a large one."""

_DEEPEST: Final = 100


async def read(chunks: AsyncIterator[bytes], name: str) -> bytes:
    """Return all chunks. Raises BadAnswer when they are too many."""
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > LARGEST:
            raise _too_large(name)
    return bytes(content)


def decoded(content: bytes, encoding: str, name: str) -> bytes:
    """Undo a Content-Encoding, which was not asked for. Raises BadAnswer."""
    match encoding.strip().lower():
        case "" | "identity":
            return content
        case "gzip" | "x-gzip" | "deflate":
            unzip = zlib.decompressobj(32 + zlib.MAX_WBITS)
        case _:
            raise BadAnswer(f"{name}: the answer's Content-Encoding is not known")
    try:
        plain = unzip.decompress(content, LARGEST + 1)
    except zlib.error:
        raise BadAnswer(f"{name}: the answer is compressed, and damaged") from None
    if len(plain) > LARGEST:
        raise _too_large(name)
    if not unzip.eof:
        raise BadAnswer(f"{name}: the answer is compressed, and incomplete")
    return plain


def parsed(content: bytes, name: str) -> Any:
    """Return the JSON of a body; None of an empty one. Raises BadAnswer."""
    if not content.strip():
        return None
    try:
        value = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadAnswer(f"{name}: the answer is not JSON") from None
    if _deeper_than(value, _DEEPEST):
        raise BadAnswer(f"{name}: the answer has over {_DEEPEST} levels")
    return value


def _deeper_than(value: Any, levels: int) -> bool:
    level = [value]
    while level and levels >= 0:
        levels -= 1
        inner = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [item for items in inner for item in items]
    return bool(level)


def _no_number(name: str) -> float:
    raise ValueError(name)


def _too_large(name: str) -> BadAnswer:
    return BadAnswer(f"{name}: the answer has over {LARGEST // 2**20} MiB")
