//! The modes that the program inside switched in the user's terminal: a program that is killed does not switch them back.

use std::collections::BTreeSet;

/// Private modes that are off in a fresh terminal: application cursor keys, reports of the mouse and of the focus, the alternate
/// screen, bracketed paste.
const OFF: [u32; 12] = [
    1, 9, 47, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1047, 1049,
];
const BRACKETED_PASTE: u32 = 2004;
/// Private modes that are on in a fresh terminal: lines wrap, the cursor is visible.
const ON: [u32; 2] = [7, 25];
/// Longest list of modes in one sequence that is understood.
const PARAMETERS_MAX: usize = 64;

/// Finds `ESC [ ? modes h` and `ESC [ ? modes l` in the output.
#[derive(Debug, Default)]
pub(super) struct Modes {
    state: State,
    parameters: Vec<u8>,
    /// The modes that differ from a fresh terminal.
    changed: BTreeSet<u32>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    Escape,
    Bracket,
    Parameters,
}

impl Modes {
    pub(super) fn note(&mut self, output: &[u8]) {
        for byte in output {
            self.state = match (self.state, byte) {
                (_, 0x1b) => State::Escape,
                (State::Escape, b'[') => State::Bracket,
                (State::Bracket, b'?') => {
                    self.parameters.clear();
                    State::Parameters
                }
                (State::Parameters, b'0'..=b'9' | b';')
                    if self.parameters.len() < PARAMETERS_MAX =>
                {
                    self.parameters.push(*byte);
                    State::Parameters
                }
                (State::Parameters, b'h' | b'l') => {
                    self.switch(*byte == b'h');
                    State::Text
                }
                _ => State::Text,
            };
        }
    }

    fn switch(&mut self, on: bool) {
        let text = String::from_utf8_lossy(&self.parameters).into_owned();
        for mode in text.split(';').filter_map(|mode| mode.parse().ok()) {
            let known = OFF.contains(&mode) || mode == BRACKETED_PASTE;
            let changed = (known && on) || (ON.contains(&mode) && !on);
            if changed {
                self.changed.insert(mode);
            } else {
                self.changed.remove(&mode);
            }
        }
    }

    /// What switches the modes back, and ends colours.
    pub(super) fn undo(&self) -> Vec<u8> {
        use std::fmt::Write as _;
        let mut undo = String::new();
        for mode in &self.changed {
            let back = if ON.contains(mode) { 'h' } else { 'l' };
            // Writing to a string cannot fail.
            write!(undo, "\x1b[?{mode}{back}").ok();
        }
        if !undo.is_empty() {
            undo += "\x1b[0m";
        }
        undo.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undo(output: &[&str]) -> String {
        let mut modes = Modes::default();
        for chunk in output {
            modes.note(chunk.as_bytes());
        }
        String::from_utf8(modes.undo()).unwrap()
    }

    #[test]
    fn a_program_that_switches_everything_back_leaves_nothing_to_undo() {
        let editor = "\x1b[?1049h\x1b[?25l\x1b[31mtext\x1b[0m\x1b[?25h\x1b[?1049l";
        assert_eq!(undo(&[editor]), "");
        assert_eq!(
            undo(&["plain \x1b[1;31mcolours\x1b[0m\x1b]0;title\x07"]),
            ""
        );
    }

    #[test]
    fn what_a_killed_program_left_is_switched_back() {
        let left = undo(&["\x1b[?1049h\x1b[?1000;1006h\x1b[?2004h", "\x1b[?25l"]);
        for mode in ["?1049l", "?1000l", "?1006l", "?2004l", "?25h"] {
            assert!(left.contains(&format!("\x1b[{mode}")), "{left:?}");
        }
    }

    #[test]
    fn a_sequence_that_is_split_between_chunks_counts() {
        let bytes: Vec<String> = "\x1b[?25l".chars().map(String::from).collect();
        let chunks: Vec<&str> = bytes.iter().map(String::as_str).collect();
        assert_eq!(undo(&chunks), "\x1b[?25h\x1b[0m");
    }

    #[test]
    fn endless_parameters_occupy_little_memory() {
        let mut modes = Modes::default();
        modes.note(b"\x1b[?");
        modes.note(&vec![b'1'; 1 << 20]);
        modes.note(b"h\x1b[?25l");
        assert!(modes.parameters.capacity() <= 2 * PARAMETERS_MAX);
        assert_eq!(modes.undo(), b"\x1b[?25h\x1b[0m");
    }
}
