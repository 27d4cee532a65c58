//! The credentials of the host agent, in a file of its data directory (mode 0600).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use locule_agent_api::tls::OwnCertificate;
use locule_disk::{sync_dir, write_durably};
use locule_ids::HostId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::host_key::HostKey;

const FILE: &str = "host-credentials.json";

/// What the control plane gave to the agent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub host_id: HostId,
    pub token: String,
    pub refresh_token: String,
    /// The SHA-256 hash of the registration token: an agent that is started with this token again has registered already.
    pub(crate) registered_with: String,
    /// What the agent has if the control plane reaches it through TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<TlsCredentials>,
}

/// The key of a host, and what the control plane issued for it. Each is in PEM.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TlsCredentials {
    pub(crate) key: String,
    pub(crate) certificate: String,
    pub(crate) ca: String,
}

impl TlsCredentials {
    pub(crate) fn own_certificate(&self) -> anyhow::Result<OwnCertificate> {
        let key = HostKey::from_pem(&self.key)?;
        Ok(key.with_certificate(&self.certificate)?)
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("host_id", &self.host_id)
            .finish_non_exhaustive()
    }
}

/// The stored form of a registration token.
pub(crate) fn hash(registration_token: &str) -> String {
    hex::encode(Sha256::digest(registration_token.as_bytes()))
}

impl Credentials {
    /// The file of the credentials of the agent with this data directory. It exists from the registration on, until the host is deleted.
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    /// Reads the credentials of the agent with this data directory. `None`: the agent has not registered.
    pub fn read(data_dir: &Path) -> io::Result<Option<Self>> {
        match fs::read(Self::path(data_dir)) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the credentials of the agent with this data directory, if it has any.
    pub(crate) fn remove(data_dir: &Path) -> io::Result<()> {
        match fs::remove_file(Self::path(data_dir)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => sync_dir(data_dir),
        }
    }

    /// Writes the credentials so that they survive a crash. Blocks.
    pub(crate) fn write(&self, data_dir: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        write_durably(&Self::path(data_dir), &text)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn credentials_are_read_as_they_were_written_and_only_their_owner_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Credentials::read(folder.path()).unwrap(), None);
        let credentials = Credentials {
            host_id: HostId::random(),
            token: "a".to_owned(),
            refresh_token: "b".to_owned(),
            registered_with: hash("c"),
            tls: None,
        };
        credentials.write(folder.path()).unwrap();
        let read = Credentials::read(folder.path()).unwrap();
        assert_eq!(read, Some(credentials));
        // A file of an agent without TLS has no field for it.
        assert!(
            !fs::read_to_string(Credentials::path(folder.path()))
                .unwrap()
                .contains("tls")
        );
        let mode = fs::metadata(Credentials::path(folder.path()))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        fs::write(Credentials::path(folder.path()), "{").unwrap();
        let kind = Credentials::read(folder.path()).unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::InvalidData);
        Credentials::remove(folder.path()).unwrap();
        Credentials::remove(folder.path()).unwrap();
        assert_eq!(Credentials::read(folder.path()).unwrap(), None);
    }
}
