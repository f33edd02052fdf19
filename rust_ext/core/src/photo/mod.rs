//! What a photo file says of itself: EXIF position, heading and date.
