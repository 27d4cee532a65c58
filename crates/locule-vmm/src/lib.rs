//! Start, restore, stop and capture one VMM process.
