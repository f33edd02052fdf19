"""How tiles spell their nodata value."""

from __future__ import annotations

import math

import pytest

from gair_cli.geo.cutting import nodata_text


@pytest.mark.parametrize(
    ("nodata", "dtype", "text"),
    [
        (None, "uint8", None),
        (0.0, "uint16", "0"),
        (-9999.0, "int16", "-9999"),
        (-3.4028234663852886e38, "float32", "-340282346638528859811704183484516925440"),
        (0.5, "float32", "0.5"),
        (math.nan, "float64", "nan"),
        (math.inf, "float32", "inf"),
        (2.0**64, "uint64", "18446744073709551615"),
        (2.0**63, "int64", "9223372036854775807"),
        (-(2.0**63), "int64", "-9223372036854775808"),
    ],
)
def test_nodata_is_spelled_in_its_type(nodata: float | None, dtype: str, text: str | None) -> None:
    assert nodata_text(nodata, dtype) == text
