//! Changes, backups and restores of the platform's database, with the programs of PostgreSQL.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use super::{Platform, finish, piped};

/// A program of the newest PostgreSQL of this machine.
fn postgres_program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap();
    let programs = versions.map(|entry| entry.unwrap().path().join("bin").join(name));
    programs.filter(|path| path.exists()).max().unwrap()
}

fn succeeds(command: &mut Command, input: &str) -> String {
    let ran = finish(piped(command), input);
    assert!(ran.code == 0 && !ran.stderr.contains("ERROR"), "{ran:?}");
    ran.stdout
}

impl Platform {
    fn cluster(&self) -> PathBuf {
        self.data().join("postgres/data")
    }

    fn dump(&self) -> PathBuf {
        self.folder().join("locule.sql")
    }

    fn copy(&self) -> PathBuf {
        self.folder().join("copy-of-the-cluster")
    }

    /// Changes the database of a stopped platform.
    pub(crate) fn change_database(&self, sql: &str) {
        let owner = fs::metadata(self.cluster()).unwrap().uid();
        let mut command = Command::new(postgres_program("postgres"));
        command.uid(owner);
        command
            .arg("--single")
            .arg("-D")
            .arg(self.cluster())
            .arg("locule");
        succeeds(&mut command, &format!("{sql}\n"));
    }

    /// A program of PostgreSQL that connects to the running server.
    fn client_of_postgres(&self, name: &str) -> Command {
        let mut command = Command::new(postgres_program(name));
        command.args(["--username", "locule", "--host"]);
        command.arg(self.run_dir().join("postgres"));
        command
    }

    /// Takes a backup of the database of the running platform.
    pub(crate) fn dump_database(&self) {
        let mut dump = self.client_of_postgres("pg_dump");
        succeeds(dump.arg("--file").arg(self.dump()).arg("locule"), "");
    }

    /// Replaces the database by its backup, while the platform runs.
    pub(crate) fn restore_dump(&self) {
        let mut drop = self.client_of_postgres("dropdb");
        succeeds(
            drop.args(["--maintenance-db", "postgres", "--force", "locule"]),
            "",
        );
        let mut create = self.client_of_postgres("createdb");
        succeeds(create.args(["--maintenance-db", "postgres", "locule"]), "");
        let mut restore = self.client_of_postgres("psql");
        restore.args([
            "--quiet",
            "--single-transaction",
            "--set",
            "ON_ERROR_STOP=1",
        ]);
        succeeds(restore.arg("--file").arg(self.dump()).arg("locule"), "");
    }

    /// Copies the files of the database of a stopped platform.
    pub(crate) fn copy_cluster(&self) {
        let mut copy = Command::new("cp");
        succeeds(copy.arg("-a").arg(self.cluster()).arg(self.copy()), "");
    }

    /// Puts the copy in the place of the files of the database.
    pub(crate) fn restore_cluster(&self) {
        fs::remove_dir_all(self.cluster()).unwrap();
        let mut restore = Command::new("cp");
        succeeds(restore.arg("-a").arg(self.copy()).arg(self.cluster()), "");
    }
}
