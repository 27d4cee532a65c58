//! The command lines of the parts that `up` starts.

use std::net::SocketAddr;
use std::path::Path;

use super::banner::Progress;
use super::checks;
use super::layout::Layout;
use super::{Args, Registration};
use crate::environment;

/// The arguments of the agent's command line.
pub(super) fn of_agent(
    layout: &Layout,
    args: &Args,
    images: &Path,
    registration: &Registration,
) -> Vec<String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut options = vec![
        ("--data-dir", text(&layout.agent_dir())),
        ("--run-dir", text(&layout.run_dir())),
        ("--instance", layout.instance().to_owned()),
        ("--images", text(images)),
        ("--accel", args.accel.to_string()),
        ("--kvm-probe-timeout", args.kvm_probe_timeout.to_string()),
        ("--server", registration.url()),
        ("--peer-uid", layout.users().serve.uid.to_string()),
        ("--peer-gid", layout.users().serve.gid.to_string()),
    ];
    options.extend(sizes(args));
    options.extend(args.qemu.as_deref().map(|qemu| ("--qemu", text(qemu))));
    let options = options.into_iter();
    std::iter::once("agent".to_owned())
        .chain(options.flat_map(|(name, value)| [name.to_owned(), value]))
        // The address is this machine's own: nothing leaves the machine.
        .chain(["--plain-http".to_owned()])
        .collect()
}

/// The options about sizes that `up` passes on to the agent, which has the defaults.
fn sizes(args: &Args) -> Vec<(&'static str, String)> {
    let numbers = [
        ("--pool-size", args.pool_size),
        ("--memory-limit", args.memory_limit),
        ("--template-memory", args.template_memory),
        ("--template-snapshots", args.template_snapshots),
        ("--warm", args.warm),
    ];
    let numbers = numbers
        .into_iter()
        .filter_map(|(name, number)| Some((name, number?.to_string())));
    let shapes = args.warm_shapes.iter().map(|shape| {
        let text = format!("{}x{}", shape.vcpus, shape.memory_mib);
        ("--warm-shapes", text)
    });
    numbers.chain(shapes).collect()
}

/// The arguments of the control plane's command line. It gets the guest images for hosts on other machines, if its user may read them.
pub(super) fn of_serve(layout: &Layout, listen: &SocketAddr, images: &Path) -> Vec<String> {
    let listen = listen.to_string();
    let mut arguments = vec!["serve", "--no-migrate", "--listen", &listen];
    let folder = images.to_string_lossy();
    if checks::can_read(images, layout.users().serve) {
        arguments.extend(["--images", &folder]);
    } else if environment::serves_hosts() {
        Progress::note(&format!(
            "hosts on other machines cannot fetch the guest images, because the system user `{}` cannot read {folder}: copy the images to a folder that every user may read, and name it with --images",
            checks::SERVE_USER
        ));
    }
    arguments.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Up {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_host_agent_gets_each_size_that_up_was_given_and_no_other() {
        let passed = |line: &str| {
            let words = std::iter::once("up").chain(line.split_whitespace());
            let up = Up::try_parse_from(words).unwrap();
            let options = sizes(&up.args).into_iter();
            let words: Vec<_> = options
                .flat_map(|(name, value)| [name.to_owned(), value])
                .collect();
            words.join(" ")
        };
        assert_eq!(passed(""), "");
        assert_eq!(
            passed(
                "--warm 0 --warm-shapes 1x512,2x1024 --template-memory 4096 --template-snapshots 3"
            ),
            "--template-memory 4096 --template-snapshots 3 --warm 0 --warm-shapes 1x512 --warm-shapes 2x1024"
        );
        for wrong in ["--warm-shapes 1x500", "--warm-shapes 512", "--warm -1"] {
            let words = std::iter::once("up").chain(wrong.split_whitespace());
            Up::try_parse_from(words).unwrap_err();
        }
    }
}
