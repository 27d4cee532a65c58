//! Reflink pool, images, snapshot files.
