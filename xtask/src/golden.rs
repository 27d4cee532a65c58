//! Generated files. Each is written by a test that otherwise compares it, named `…_is_written_down`; such a test writes
//! instead of comparing when `UPDATE_GOLDEN=1` is set. So the rings of `test` are what finds a stale golden.

use anyhow::Result;

use crate::places::Places;
use crate::run::{cargo, run, say};
use crate::web::Web;

/// Part of the name of every test that keeps a generated file.
const KEEPERS: &str = "is_written_down";

/// Writes every generated file anew.
pub(crate) fn write(places: &Places) -> Result<()> {
    say(format_args!("writing the generated files"));
    run(cargo()
        .current_dir(&places.root)
        .args(["test", "--quiet", "--workspace", KEEPERS])
        .env("UPDATE_GOLDEN", "1")
        .env("INSTA_UPDATE", "always"))?;
    Web::install(places)?.golden()
}
