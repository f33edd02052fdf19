//! The only user of GDAL: plan windows, decode each block once, cut tiles, write rasters.
