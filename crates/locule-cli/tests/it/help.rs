use crate::program::{program, run};

const VERBS: &[&[&str]] = &[
    &[],
    &["run"],
    &["sandbox"],
    &["sandbox", "create"],
    &["sandbox", "ls"],
    &["sandbox", "get"],
    &["sandbox", "exec"],
    &["sandbox", "cp"],
    &["sandbox", "ports"],
    &["sandbox", "url"],
    &["sandbox", "pause"],
    &["sandbox", "resume"],
    &["sandbox", "kill"],
    &["signup"],
    &["login"],
    &["logout"],
    &["whoami"],
    &["team"],
    &["team", "ls"],
    &["team", "create"],
    &["team", "use"],
    &["team", "rename"],
    &["team", "delete"],
    &["team", "members"],
    &["team", "add"],
    &["team", "accept"],
    &["team", "role"],
    &["team", "remove"],
    &["team", "leave"],
    &["api-key"],
    &["api-key", "create"],
    &["api-key", "ls"],
    &["api-key", "revoke"],
    &["host"],
    &["host", "add"],
    &["host", "ls"],
    &["host", "show"],
    &["host", "tags"],
    &["host", "cordon"],
    &["host", "uncordon"],
    &["host", "drain"],
    &["host", "rm"],
    &["host", "accept-database"],
    &["host", "import"],
    &["host", "token"],
    &["audit"],
    &["completion"],
];

#[test]
fn the_help_of_every_command_matches_the_snapshot() {
    let mut pages = Vec::new();
    for verb in VERBS {
        let mut args = verb.to_vec();
        args.push("--help");
        let ran = run(program(&args));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{verb:?}");
        pages.push(format!("$ locule {}\n{}", args.join(" "), ran.stdout));
    }
    insta::assert_snapshot!("help", pages.join("\n"));
}

#[test]
fn every_command_has_a_json_flag() {
    for verb in VERBS.iter().filter(|verb| {
        !matches!(
            verb,
            [] | ["sandbox" | "team" | "api-key" | "host" | "completion"]
        )
    }) {
        let mut args = verb.to_vec();
        args.push("--help");
        let help = run(program(&args)).stdout;
        assert!(help.contains("--json"), "{verb:?}");
    }
}

#[test]
fn the_version_flag_prints_the_version() {
    let expected = format!("locule {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(program(&["--version"])).stdout, expected);
}

#[test]
fn the_completion_scripts_contain_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(program(&["completion", shell]));
        assert_eq!(ran.code, 0, "{ran:?}");
        for word in ["sandbox", "resume", "completion"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
    }
}
