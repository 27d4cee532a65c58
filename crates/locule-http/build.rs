//! Embeds the dashboard anew when the chores have built it: they name the build by a hash of its content.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LOCULE_WEB");
}
