//! Fixed encodings of coordinates: one encoding a file, its paper cited.
