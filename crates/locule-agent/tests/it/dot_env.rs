//! The options of `locule agent` that come from the environment, and from the file `.env`.

use std::process::Output;

use crate::host_files::{binary, program};

/// B-109.
#[test]
fn the_agent_reads_the_file_dot_env_and_the_environment_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    // With nothing to remove, a purge succeeds where the options can be read.
    let purge = |address: Option<&str>| -> Output {
        let mut command = program(binary("locule"));
        command
            .current_dir(folder.path())
            .arg("agent")
            .arg("--purge");
        command.arg("--data-dir").arg(folder.path().join("missing"));
        command.env_remove("LOCULE_ADDRESS");
        if let Some(address) = address {
            command.env("LOCULE_ADDRESS", address);
        }
        command.output().unwrap()
    };
    assert!(purge(None).status.success());

    let file = folder.path().join(".env");
    std::fs::write(
        &file,
        "LOCULE_SERVER=http://127.0.0.1:8000\nLOCULE_ADDRESS=wrong\n",
    )
    .unwrap();
    let refused = purge(None);
    assert!(!refused.status.success());
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("--address"), "{text}");
    let told = purge(Some("10.0.0.7:50051"));
    assert!(told.status.success(), "{told:?}");

    std::fs::write(&file, "no assignment").unwrap();
    let refused = purge(None);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("read .env"), "{text}");
}
