//! The log of this process: its standard error, which the driver writes to a file.

pub(crate) fn log(line: &str) {
    #[expect(
        clippy::print_stderr,
        reason = "the log of a VMM is its standard error"
    )]
    {
        eprintln!("stub-vmm: {line}");
    }
}
