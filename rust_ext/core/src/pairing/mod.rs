//! Which tile holds a point, and where inside it.
