"""Made products in the form of their makers: Sentinel-2 SAFE folders and zips, Landsat folders."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import rasterio

if TYPE_CHECKING:
    from pathlib import Path

CRS = "EPSG:32633"
WEST, NORTH = 399960.0, 5200020.0
EXTENT_M = 1200
METRES = {
    "B1": 60, "B2": 10, "B3": 10, "B4": 10, "B5": 20, "B6": 20, "B7": 20, "B8": 10,
    "B8A": 20, "B9": 60, "B10": 60, "B11": 20, "B12": 20,
}  # fmt: skip
PRODUCT = "S2B_MSIL{level}_20240615T101559_N{digits}_R065_T33UUP_20240615T130846"
OLD_PRODUCT = "S2A_OPER_PRD_MSIL1C_PDMC_20160218T173456_R065_V20160218T102032_20160218T102032"


@dataclass
class Safe:
    """A made product: where it lies, and the pixels (H, W) of each image by (band, metres)."""

    path: Path
    product_id: str
    pixels: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)


def pixels_of(band, metres, *, seed=0):
    """Return the made pixels of a band: 1 to 4,000, and a corner of nodata."""
    side = EXTENT_M // metres
    seed = [seed, metres, *band.encode()]
    values = np.random.default_rng(seed).integers(1, 4000, (side, side)).astype(np.uint16)
    values[: side // 10, : side // 10] = 0
    return values


def write_image(path, pixels, *, metres, driver="JP2OpenJPEG", crs=CRS, **more):
    """Write (H, W) or (C, H, W) pixels without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.atleast_3d(pixels).transpose(2, 0, 1) if pixels.ndim == 2 else pixels
    options = {"QUALITY": "100", "REVERSIBLE": "YES"} if driver == "JP2OpenJPEG" else {}
    transform = rasterio.Affine(metres, 0, WEST, 0, -metres, NORTH)
    count, height, width = pixels.shape
    profile = {"driver": driver, "count": count, "dtype": pixels.dtype, "crs": crs}
    size = {"width": width, "height": height, "transform": transform}
    with rasterio.open(path, "w", **profile, **size, **options, **more) as raster:
        raster.write(pixels)


def two_digits(band):
    return "B8A" if band == "B8A" else f"B{int(band[1:]):02d}"


def make_l2a(folder, *, baseline="05.10", offset=-1000, clouds=True, name=None):
    """Write an L2A product: each band at every resolution it comes at, SCL at 20 m."""
    images = {
        (band, other): f"R{other}m/T33UUP_20240615T101559_{two_digits(band)}_{other}m"
        for band, metres in METRES.items()
        for other in (10, 20, 60)
        if other >= metres and band != "B10" and (band, other) != ("B8", 20)
    }
    offsets = {} if offset is None else dict.fromkeys(METRES, offset)
    digits = baseline.replace(".", "")
    product = PRODUCT.format(level="2A", digits=digits)
    safe = Safe(folder / (name or f"{product}.SAFE"), product)
    granule = "GRANULE/L2A_T33UUP_A037944_20240615T101601"
    files = [f"{granule}/IMG_DATA/{image}" for image in images.values()]
    for (band, metres), file in zip(images, files, strict=True):
        _write(safe, band, metres, file)
    if clouds:
        files.append(f"{granule}/IMG_DATA/R20m/T33UUP_20240615T101559_SCL_20m")
        _write(safe, "SCL", 20, files[-1])
    xml = _l2a_xml(product, baseline, files, offsets)
    (safe.path / "MTD_MSIL2A.xml").write_text(xml, encoding="utf-8")
    return safe


def make_l1c(folder, *, baseline="05.10", offset=-1000, mask="classes", bands=tuple(METRES)):
    """Write an L1C product; `mask` is `classes`, `polygons`, `qa60` or None."""
    product = PRODUCT.format(level="1C", digits=baseline.replace(".", ""))
    safe = Safe(folder / f"{product}.SAFE", product)
    granule = "GRANULE/L1C_T33UUP_A037944_20240615T101601"
    files = [f"{granule}/IMG_DATA/T33UUP_20240615T101559_{two_digits(band)}" for band in bands]
    for band, file in zip(bands, files, strict=True):
        _write(safe, band, METRES[band], file)
    _write_mask(safe, f"{granule}/QI_DATA", mask)
    files.append(f"{granule}/IMG_DATA/T33UUP_20240615T101559_TCI")
    xml = _l1c_xml(
        product, baseline, files, {} if offset is None else dict.fromkeys(METRES, offset)
    )
    (safe.path / "MTD_MSIL1C.xml").write_text(xml, encoding="utf-8")
    return safe


def make_old_l1c(folder, tiles=("T33UUP",)):
    """Write an L1C product as before December 2016: long names, image ids, several granules."""
    safe = Safe(folder / f"{OLD_PRODUCT}.SAFE", OLD_PRODUCT)
    granules = []
    for number, tile in enumerate(tiles):
        granule = f"S2A_OPER_MSI_L1C_TL_SGS__20160218T154321_A003456_{tile}_N02.01"
        ids = [f"{granule[:-7]}_{two_digits(band)}" for band in METRES]
        for band, image in zip(METRES, ids, strict=True):
            _write(safe, band, METRES[band], f"GRANULE/{granule}/IMG_DATA/{image}", seed=number)
        listed = "".join(f"<IMAGE_ID>{image}</IMAGE_ID>" for image in ids)
        granules.append(
            f'<Granule_List><Granules granuleIdentifier="{granule}" imageFormat="JPEG2000">'
            f"{listed}</Granules></Granule_List>"
        )
    name = "S2A_OPER_MTD_SAFL1C_PDMC_20160218T173456_R065_V20160218T102032_20160218T102032.xml"
    xml = _document("Level-1C", f"{OLD_PRODUCT}.SAFE", "02.01", "".join(granules), "")
    (safe.path / name).write_text(xml, encoding="utf-8")
    return safe


def zipped(safe, path=None, *, method=zipfile.ZIP_DEFLATED):
    """Pack a product as its makers do, its folder at the top; return the zip's path."""
    path = path or safe.path.with_name(safe.path.name + ".zip")
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(safe.path.rglob("*")):
            archive.write(file, str(file.relative_to(safe.path.parent)))
    return path


def _write(safe, band, metres, file, *, seed=0):
    if band == "SCL":
        side = EXTENT_M // metres
        pixels = np.random.default_rng(9).integers(0, 12, (side, side)).astype(np.uint8)
    else:
        pixels = pixels_of(band, metres, seed=seed)
    safe.pixels[band, metres] = pixels
    write_image(safe.path / f"{file}.jp2", pixels, metres=metres)


def _write_mask(safe, folder, mask):
    side = EXTENT_M // 60
    if mask == "classes":
        pixels = np.random.default_rng(7).integers(0, 2, (3, side, side)).astype(np.uint8)
        write_image(safe.path / folder / "MSK_CLASSI_B00.jp2", pixels, metres=60)
        safe.pixels["CLASSI", 60] = pixels
    if mask == "qa60":
        pixels = np.random.default_rng(7).choice([0, 1024, 2048, 1], (side, side))
        safe.pixels["QA60", 60] = pixels.astype(np.uint16)
        path = safe.path / folder / "T33UUP_20240615T101559_QA60.jp2"
        write_image(path, safe.pixels["QA60", 60], metres=60)
    if mask == "polygons":
        path = safe.path / folder / "MSK_CLOUDS_B00.gml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(GML, encoding="utf-8")


def square(west, north, side):
    """Return the corners of a square as GML writes a ring."""
    east, south = west + side, north - side
    ring = [(west, north), (east, north), (east, south), (west, south), (west, north)]
    return " ".join(f"{x} {y}" for x, y in ring)


GML = f"""<?xml version="1.0" encoding="UTF-8"?>
<eop:Mask xmlns:eop="http://www.opengis.net/eop/2.0" xmlns:gml="http://www.opengis.net/gml/3.2">
  <eop:maskMembers>
    <eop:MaskFeature gml:id="OPAQUE.0">
      <eop:maskType codeSpace="urn:gs2:S2PDGS:maskType">OPAQUE</eop:maskType>
      <eop:extentOf><gml:Polygon gml:id="OPAQUE.0_Polygon">
        <gml:exterior><gml:LinearRing>
          <gml:posList srsDimension="2">{square(WEST, NORTH, 600)}</gml:posList>
        </gml:LinearRing></gml:exterior>
        <gml:interior><gml:LinearRing>
          <gml:posList srsDimension="2">{square(WEST + 120, NORTH - 120, 240)}</gml:posList>
        </gml:LinearRing></gml:interior>
      </gml:Polygon></eop:extentOf>
    </eop:MaskFeature>
    <eop:MaskFeature gml:id="CIRRUS.0">
      <eop:maskType codeSpace="urn:gs2:S2PDGS:maskType">CIRRUS</eop:maskType>
      <eop:extentOf><gml:Polygon gml:id="CIRRUS.0_Polygon"><gml:exterior><gml:LinearRing>
        <gml:posList srsDimension="2">{square(WEST + 900, NORTH - 900, 600)}</gml:posList>
      </gml:LinearRing></gml:exterior></gml:Polygon></eop:extentOf>
    </eop:MaskFeature>
  </eop:maskMembers>
</eop:Mask>
"""


def _l2a_xml(product, baseline, files, offsets):
    listed = "".join(f"<IMAGE_FILE>{file}</IMAGE_FILE>" for file in files)
    added = "".join(
        f'<BOA_ADD_OFFSET band_id="{number}">{value}</BOA_ADD_OFFSET>'
        for number, value in enumerate(offsets.values())
    )
    facts = (
        "<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE>10000</BOA_QUANTIFICATION_VALUE>"
        "</QUANTIFICATION_VALUES_LIST>"
        + (f"<BOA_ADD_OFFSET_VALUES_LIST>{added}</BOA_ADD_OFFSET_VALUES_LIST>" if added else "")
    )
    granule = f'<Granule_List><Granule granuleIdentifier="G">{listed}</Granule></Granule_List>'
    return _document("Level-2A", f"{product}.SAFE", baseline, granule, facts)


def _l1c_xml(product, baseline, files, offsets):
    listed = "".join(f"<IMAGE_FILE>{file}</IMAGE_FILE>" for file in files)
    added = "".join(
        f'<RADIO_ADD_OFFSET band_id="{number}">{value}</RADIO_ADD_OFFSET>'
        for number, value in enumerate(offsets.values())
    )
    facts = "<QUANTIFICATION_VALUE>10000</QUANTIFICATION_VALUE>" + (
        f"<Radiometric_Offset_List>{added}</Radiometric_Offset_List>" if added else ""
    )
    granule = f'<Granule_List><Granule granuleIdentifier="G">{listed}</Granule></Granule_List>'
    return _document("Level-1C", f"{product}.SAFE", baseline, granule, facts)


def _document(level, uri, baseline, granules, facts):
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:{level}_User_Product xmlns:n1="https://psd-15.sentinel2.eo.esa.int/PSD/User_Product.xsd">
  <n1:General_Info>
    <Product_Info>
      <PRODUCT_START_TIME>2024-06-15T10:15:59.024Z</PRODUCT_START_TIME>
      <PRODUCT_URI>{uri}</PRODUCT_URI>
      <PROCESSING_LEVEL>{level}</PROCESSING_LEVEL>
      <PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>
      <Datatake><SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME></Datatake>
      <Product_Organisation>{granules}</Product_Organisation>
    </Product_Info>
    <Product_Image_Characteristics>
      <Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX></Special_Values>
      <Special_Values><SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX></Special_Values>
      {facts}
    </Product_Image_Characteristics>
  </n1:General_Info>
</n1:{level}_User_Product>
"""


LANDSAT = "LC09_L{level}_022039_20240711_20240712_0{collection}_T1"


def make_landsat(folder, *, collection=2, level="2SP", form="txt", quality=True):
    """Write a Landsat folder of 40 x 40 pixels a band at 30 m; return its path and product id."""
    product = LANDSAT.format(level=level, collection=collection)
    place = folder / product
    place.mkdir(parents=True)
    bands = {f"B{n}": f"{product}_{'SR_' if level == '2SP' else ''}B{n}.TIF" for n in (1, 2, 3)}
    if level == "2SP":
        bands["ST_B10"] = f"{product}_ST_B10.TIF"
    else:
        bands["B8"] = f"{product}_B8.TIF"
    for band, file in bands.items():
        metres = 15 if band == "B8" else 30
        write_image(place / file, pixels_of(band, metres), metres=metres, driver="GTiff")
    fields = [
        ("LANDSAT_PRODUCT_ID", product), ("PROCESSING_LEVEL", f"L{level}"),
        ("COLLECTION_NUMBER", f"0{collection}"), ("SENSOR_ID", "OLI_TIRS"),
        ("DATE_ACQUIRED", "2024-07-11"), ("SCENE_CENTER_TIME", "16:20:01.1234560Z"),
    ]  # fmt: skip
    fields += [(f"FILE_NAME_BAND_{band.removeprefix('B')}", file) for band, file in bands.items()]
    if quality:
        name = f"{product}_{'QA_PIXEL' if collection == 2 else 'BQA'}.TIF"
        bits = np.random.default_rng(5).choice([1, 2, 4, 8, 16, 64], (40, 40)).astype(np.uint16)
        write_image(place / name, bits, metres=30, driver="GTiff")
        key = "FILE_NAME_QUALITY_L1_PIXEL" if collection == 2 else "FILE_NAME_BAND_QUALITY"
        fields.append((key, name))
    later = [
        ("REFLECTANCE_MULT_BAND_1", "2.75e-05"), ("REFLECTANCE_ADD_BAND_1", "-0.2"),
        ("TEMPERATURE_MULT_BAND_ST_B10", "0.00341802"),
        ("TEMPERATURE_ADD_BAND_ST_B10", "149.0"),
        ("LANDSAT_PRODUCT_ID", product.replace("L2SP", "L1TP") + "-SOURCE"),
        ("REFLECTANCE_MULT_BAND_1", "2.0E-05"), ("REFLECTANCE_ADD_BAND_1", "-0.1"),
    ]  # fmt: skip
    write = {"txt": _odl, "xml": _mtl_xml, "json": _mtl_json}[form]
    (place / f"{product}_MTL.{form}").write_text(write(fields, later), encoding="utf-8")
    return place, product


def _odl(fields, later):
    lines = [f'    {key} = "{value}"' for key, value in [*fields, *later]]
    return "\n".join(["GROUP = LANDSAT_METADATA_FILE", *lines, "END_GROUP", "END", ""])


def _mtl_xml(fields, later):
    parts = [
        "<{0}>{1}</{0}>".format(group, "".join(f"<{key}>{value}</{key}>" for key, value in rows))
        for group, rows in (("PRODUCT_CONTENTS", fields), ("LEVEL1", later[4:]), ("X", later[:4]))
    ]
    parts = [parts[0], parts[2], parts[1]]
    return f"<LANDSAT_METADATA_FILE>{''.join(parts)}</LANDSAT_METADATA_FILE>"


def _mtl_json(fields, later):
    import json

    groups = {"PRODUCT_CONTENTS": dict(fields), "SCALE": dict(later[:4]), "L1": dict(later[4:])}
    return json.dumps({"LANDSAT_METADATA_FILE": groups})
