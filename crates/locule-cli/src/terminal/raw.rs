//! The user's terminal in raw mode, and its restoration after any end of this program but SIGKILL.

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::modes::Modes;

/// What the terminal needs to be as it was. `None` while it is.
static BEFORE: Mutex<Option<Before>> = Mutex::new(None);

struct Before {
    attributes: Termios,
    modes: Modes,
}

fn before() -> MutexGuard<'static, Option<Before>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The terminal is in raw mode as long as this value exists.
#[derive(Debug)]
pub(super) struct RawMode(());

impl RawMode {
    pub(super) fn enter() -> std::io::Result<Self> {
        let attributes = tcgetattr(rustix::stdio::stdin())?;
        let mut raw = attributes.clone();
        raw.make_raw();
        *before() = Some(Before {
            attributes,
            modes: Modes::default(),
        });
        restore_before_a_panic_is_reported();
        let entered = Self(());
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &raw)?;
        Ok(entered)
    }

    /// Output that the terminal is about to show.
    #[expect(
        clippy::unused_self,
        reason = "there is nothing to note without raw mode"
    )]
    pub(super) fn shown(&self, output: &[u8]) {
        if let Some(before) = &mut *before() {
            before.modes.note(output);
        }
    }

    #[expect(
        clippy::unused_self,
        reason = "there is nothing to restore without raw mode"
    )]
    pub(super) fn restore(&self) {
        restore();
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

fn restore() {
    if let Some(before) = before().take() {
        // The terminal may be gone.
        let mut screen = std::io::stdout();
        screen.write_all(&before.modes.undo()).ok();
        screen.flush().ok();
        tcsetattr(
            rustix::stdio::stdin(),
            OptionalActions::Now,
            &before.attributes,
        )
        .ok();
    }
}

/// The report of a panic is readable, and a panic that aborts leaves no raw terminal.
fn restore_before_a_panic_is_reported() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            report(panic);
        }));
    });
}

/// Columns and rows of the window.
pub(super) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(rustix::stdio::stdin()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}
