//! The size of a terminal's window.

use locule_guest_api::proto::process as wire;

/// Columns and rows of a terminal's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize {
    pub cols: u16,
    pub rows: u16,
}

impl WindowSize {
    pub(super) fn wire(self) -> wire::PTY {
        let size = wire::pty::Size {
            cols: self.cols.into(),
            rows: self.rows.into(),
            ..Default::default()
        };
        wire::PTY {
            size: size.into(),
            ..Default::default()
        }
    }
}
