//! Tar shards and the fixed-layout GeoTIFF tiles inside them.
