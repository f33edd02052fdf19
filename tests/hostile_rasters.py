"""Rasters that lie: GeoTIFFs with false numbers in their tags, VRTs that go in circles."""

from __future__ import annotations

import struct
import zlib

WIDTH, HEIGHT, BITS, COMPRESSION = 256, 257, 258, 259
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS = 273, 277, 278, 279
PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT = 284, 317, 322, 323
TILE_OFFSETS, TILE_COUNTS, FORMAT = 324, 325, 339
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 12: 8}
_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 12: "d"}


def entries(data):
    """Return where each tag of a classic little-endian TIFF's first directory stands."""
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    places = [at + 2 + 12 * number for number in range(count)]
    return {struct.unpack_from("<H", data, place)[0]: place for place in places}


def values(data, tag):
    """Return the values of a tag."""
    place = entries(data)[tag]
    kind, count = struct.unpack_from("<HI", data, place + 2)
    inside = count * _SIZES[kind] <= 4
    at = place + 8 if inside else struct.unpack_from("<I", data, place + 8)[0]
    return at, kind, struct.unpack_from(f"<{count}{_CODES[kind]}", data, at)


def with_values(data, tag, **changes):
    """Return the file with other values of a tag; `at0=5` sets the first to 5.

    `count=3` changes how many there are said to be, `every=7` sets all of them.
    """
    changed = bytearray(data)
    at, kind, found = values(data, tag)
    for place in range(len(found)):
        value = changes.get(f"at{place}", changes.get("every"))
        if value is not None:
            limit = 256 ** _SIZES[kind] - 1
            struct.pack_into(
                f"<{_CODES[kind]}", changed, at + place * _SIZES[kind], min(value, limit)
            )
    if "count" in changes:
        struct.pack_into("<I", changed, entries(data)[tag] + 4, changes["count"])
    return bytes(changed)


def without_tag(data, tag):
    """Return the file with a tag renamed to one that nobody knows."""
    changed = bytearray(data)
    struct.pack_into("<H", changed, entries(data)[tag], 60_000)
    return bytes(changed)


def in_a_circle(data):
    """Return the file with its first directory as its own successor."""
    changed = bytearray(data)
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    struct.pack_into("<I", changed, at + 2 + 12 * count, at)
    return bytes(changed)


GEO = (
    (33550, 12, (10.0, 10.0, 0.0)),
    (33922, 12, (0.0, 0.0, 0.0, 384_470.0, 5_820_450.0, 0.0)),
    (34735, 3, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)),
)


def tiff(tags, blocks=()):
    """Return a classic TIFF in UTM 33 of the given tags; `blocks` follow its directory.

    Args:
        tags: (tag, TIFF type, values); offsets of blocks are counted from the first block.
        blocks: Their bytes.
    """
    tags = sorted([*tags, *GEO])
    start = 8 + 2 + 12 * len(tags) + 4
    outside, directory = b"", struct.pack("<H", len(tags))
    sizes = [struct.calcsize(f"<{len(v)}{_CODES[kind]}") for _, kind, v in tags]
    first_block = start + sum(size + size % 2 for size in sizes if size > 4)
    for tag, kind, given in tags:
        moved = [v + first_block for v in given] if tag in (STRIP_OFFSETS, TILE_OFFSETS) else given
        packed = struct.pack(f"<{len(moved)}{_CODES[kind]}", *moved)
        inline = packed.ljust(4, b"\0")
        if len(packed) > 4:
            inline = struct.pack("<I", start + len(outside))
            outside += packed + b"\0" * (len(packed) % 2)
        directory += struct.pack("<HHI", tag, kind, len(moved)) + inline
    return b"II*\0\x08\0\0\0" + directory + b"\0" * 4 + outside + b"".join(blocks)


def one_strip(width, height, block, *, compression=8, samples=1):
    """Return a TIFF of bytes whose one strip holds what the caller says."""
    tags = [
        (WIDTH, 4, (width,)), (HEIGHT, 4, (height,)), (BITS, 3, (8,) * samples),
        (COMPRESSION, 3, (compression,)), (262, 3, (1,)), (STRIP_OFFSETS, 4, (0,)),
        (SAMPLES, 3, (samples,)), (ROWS_PER_STRIP, 4, (height,)),
        (STRIP_COUNTS, 4, (len(block),)), (PLANAR, 3, (1,)),
    ]  # fmt: skip
    return tiff(tags, [block])


def one_tile(width, height, edge, block, *, compression=8):
    """Return a TIFF of bytes in tiles of `edge` pixels, which all are the same block."""
    count = -(-width // edge) * -(-height // edge)
    tags = [
        (WIDTH, 4, (width,)), (HEIGHT, 4, (height,)), (BITS, 3, (8,)),
        (COMPRESSION, 3, (compression,)), (262, 3, (1,)), (SAMPLES, 3, (1,)),
        (PLANAR, 3, (1,)), (TILE_WIDTH, 4, (edge,)), (TILE_HEIGHT, 4, (edge,)),
        (TILE_OFFSETS, 4, (0,) * count), (TILE_COUNTS, 4, (len(block),) * count),
    ]  # fmt: skip
    return tiff(tags, [block])


def deflated(length, level=9):
    """Return so many zeros, deflated a thousandfold."""
    packer = zlib.compressobj(level)
    parts = [packer.compress(bytes(min(1 << 20, length - at))) for at in range(0, length, 1 << 20)]
    return b"".join([*parts, packer.flush()])


_BAND = (
    '<VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
    '<SourceFilename relativeToVRT="1">{source}</SourceFilename><SourceBand>1</SourceBand>'
    '<SrcRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/>'
    '<DstRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/>'
    "</SimpleSource></VRTRasterBand>"
)


def vrt(source, *, width=90, height=70, bands=1, body=None):
    """Return a VRT whose bands are band 1 of `source`."""
    made = _BAND.format(source=source, width=width, height=height) * bands if body is None else body
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><SRS>EPSG:32633</SRS>'
        f"<GeoTransform>384470, 10, 0, 5820450, 0, -10</GeoTransform>{made}</VRTDataset>"
    )
