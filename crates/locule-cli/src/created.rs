//! The sandboxes that a removed member or a revoked key created and that still exist.

use locule_api::CreatedSandboxes;

use crate::environment;
use crate::list::{age, columns, word};
use crate::printer;

/// Lists the sandboxes on standard error, with what to do about them.
pub(crate) fn show(created: &CreatedSandboxes, creator: &str) {
    if created.sandboxes.is_empty() {
        return;
    }
    printer::print_message(&format!(
        "note: {creator} created sandboxes that still exist; a program that was left running in them goes on until `locule sandbox rm`"
    ));
    let now = environment::now();
    let rows = created.sandboxes.iter().map(|sandbox| {
        [
            sandbox.id.to_string(),
            word(sandbox.status).to_owned(),
            sandbox.template.clone(),
            age(now - sandbox.created_at),
        ]
    });
    printer::print_message(&columns(["ID", "STATUS", "TEMPLATE", "AGE"], rows));
    if created.has_more {
        printer::print_message("note: more sandboxes exist than are listed");
    }
}
