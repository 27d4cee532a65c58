//! A person at a terminal, with a home directory that holds the login.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::platform::{ADMINISTRATOR, PASSWORD, Platform, Session};
use crate::program::{Ran, Running, finish, program, run};

pub(crate) const EMAIL: &str = "ada@locule.test";

/// The home directory of Ada, who is in the team `First`, or of the administrator, and the platform.
pub(crate) struct Desk {
    pub(crate) platform: Platform,
    pub(crate) home: tempfile::TempDir,
    pub(crate) first: Session,
    email: &'static str,
}

impl Desk {
    pub(crate) async fn start(pool: PgPool) -> Self {
        let platform = Platform::start(pool).await;
        let first = platform.sign_up(EMAIL, "Ada").await;
        let path = format!("/v1/teams/{}", first.team);
        let name = json!({ "name": "First" });
        platform.api(&first.token, "PATCH", &path, name).await;
        Self {
            platform,
            home: tempfile::tempdir().unwrap(),
            first,
            email: EMAIL,
        }
    }

    pub(crate) async fn logged_in(pool: PgPool) -> Self {
        Self::as_person(pool, EMAIL).await
    }

    /// The desk of the person who administers the platform.
    pub(crate) async fn of_the_administrator(pool: PgPool) -> Self {
        Self::as_person(pool, ADMINISTRATOR).await
    }

    async fn as_person(pool: PgPool, email: &'static str) -> Self {
        let desk = Self {
            email,
            ..Self::start(pool).await
        };
        let ran = desk.login(PASSWORD);
        assert_eq!(ran.code, 0, "{ran:?}");
        desk
    }

    pub(crate) fn login(&self, password: &str) -> Ran {
        let mut command = program(&["login", "--url", &self.platform.url, "--email", self.email]);
        command.env("HOME", self.home.path()).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(format!("{password}\n").as_bytes()).unwrap();
        drop(stdin);
        finish(child)
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let mut command = program(args);
        command.env("HOME", self.home.path());
        run(command)
    }

    /// Starts a command that the test does not wait for.
    pub(crate) fn begin(&self, args: &[&str]) -> Running {
        let mut command = program(args);
        command.env("HOME", self.home.path());
        Running::start(command)
    }

    pub(crate) fn succeeds(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (0, ""),
            "{args:?}: {ran:?}"
        );
        ran.stdout
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let mut args = args.to_vec();
        args.push("--json");
        serde_json::from_str(&self.succeeds(&args)).unwrap()
    }

    pub(crate) fn fails(&self, args: &[&str], why: &str) {
        let ran = self.run(args);
        assert_eq!(ran.code, 1, "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(why), "{args:?}: {ran:?}");
    }
}
