//! Compiles the .proto files without needing `protoc` on any machine.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let files = ["proto/process.proto", "proto/filesystem.proto"];
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files(files)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "this is how cargo tells a build script where to write"
    )]
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let descriptors = out.join("descriptors.bin");
    std::fs::write(&descriptors, compiler.encode_file_descriptor_set())?;
    connectrpc_build::Config::new()
        .files(&["process.proto", "filesystem.proto"])
        .includes(&["proto"])
        .descriptor_set(&descriptors)
        .emit_rerun_directives(false)
        .include_file("_connectrpc.rs")
        .compile()?;
    println!("cargo:rerun-if-changed=proto");
    Ok(())
}
