//! Host names for sandboxes: a name server for a domain, and the proxy with TLS that the guide describes.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::platform::{finish, free_port, piped, until};

const DOMAIN: &str = "sbx.test";
const GUIDE: &str = include_str!("../../../../../docs/guide/host-names.md");

/// A port for the proxy, which the domain names.
pub(super) struct Reserved {
    port: u16,
}

pub(super) fn reserve() -> Reserved {
    Reserved { port: free_port() }
}

/// Ends with the value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The servers, and the files that clients need.
pub(super) struct Names {
    folder: tempfile::TempDir,
    domain: String,
    _servers: [Server; 2],
}

impl Reserved {
    pub(super) fn domain(&self) -> String {
        format!("{DOMAIN}:{}", self.port)
    }

    /// Serves the domain: its names lead to the proxy, which leads to the platform at `upstream`.
    pub(super) fn serve(self, upstream: u16) -> Names {
        let folder = tempfile::tempdir().unwrap();
        certify(folder.path());
        let proxy = self.proxy(folder.path(), upstream);
        let name_server = name_server(folder.path());
        let names = Names {
            domain: self.domain(),
            folder,
            _servers: [proxy, name_server],
        };
        until("the proxy listens", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
        until("the name server answers", || {
            let mut asks = names.command(Path::new("getent"));
            asks.args(["ahostsv4", &format!("api.{DOMAIN}")]);
            finish(piped(&mut asks), "").code == 0
        });
        names
    }

    /// Debian's nginx with the configuration of the guide, at another port and with a certificate.
    fn proxy(&self, folder: &Path, upstream: u16) -> Server {
        let block = GUIDE.split("```nginx").nth(1).unwrap();
        let block = block.split("```").next().unwrap();
        let changes = [
            ("listen 443 ssl;", {
                let (port, at) = (self.port, folder.display());
                let certificate = format!("ssl_certificate {at}/certificate.pem;");
                format!(
                    "listen 127.0.0.1:{port} ssl; {certificate} ssl_certificate_key {at}/key.pem;"
                )
            }),
            (
                "locule.example.com .example-sandboxes.com",
                format!(".{DOMAIN}"),
            ),
            ("127.0.0.1:8000", format!("127.0.0.1:{upstream}")),
        ];
        let server = changes.iter().fold(block.to_owned(), |block, (from, to)| {
            assert!(block.contains(from), "the guide has no `{from}`");
            block.replace(from, to)
        });
        let at = folder.display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {at}/{name};"))
            .concat();
        let file = folder.join("nginx.conf");
        let whole = format!(
            "user root; daemon off; master_process off; pid {at}/pid; error_log {at}/nginx.log warn;\nevents {{}}\nhttp {{ access_log off; {temporary}\n{server}}}"
        );
        std::fs::write(&file, whole).unwrap();
        let mut command = Command::new("/usr/sbin/nginx");
        command.args(["-e", "stderr", "-p"]).arg(folder);
        command.arg("-c").arg(file);
        Server(command.spawn().expect("`make setup` installs nginx"))
    }
}

/// A certificate of an authority: some clients take no certificate that signs itself.
fn certify(folder: &Path) {
    let key = [
        "-nodes",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ];
    let authority = ["-keyout", "authority.key", "-out", "authority.pem"];
    openssl(
        folder,
        &["req", "-x509", "-days", "2"],
        &[&key[..], &authority].concat(),
        "authority",
    );
    let names = format!("subjectAltName=DNS:*.{DOMAIN}");
    let certificate = ["-addext", &names, "-addext", "basicConstraints=CA:FALSE"];
    let by = ["-CA", "authority.pem", "-CAkey", "authority.key"];
    let files = ["-keyout", "key.pem", "-out", "certificate.pem"];
    let of = [&key[..], &certificate, &by, &files].concat();
    openssl(folder, &["req", "-x509", "-days", "2"], &of, DOMAIN);
}

fn openssl(folder: &Path, what: &[&str], of: &[&str], name: &str) {
    let mut command = Command::new("openssl");
    command
        .args(what)
        .args(of)
        .args(["-subj", &format!("/CN={name}")]);
    let ran = finish(piped(command.current_dir(folder)), "");
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// Debian's dnsmasq, at an address of its own: a resolver knows no other port than 53.
fn name_server(folder: &Path) -> Server {
    let address = format!("127.{}.{}.53", rand::random::<u8>(), rand::random::<u8>());
    let mut command = Command::new("/usr/sbin/dnsmasq");
    command
        .args(["--keep-in-foreground", "--no-resolv", "--no-hosts"])
        .args(["--conf-file=/dev/null", "--bind-interfaces", "--user=root"])
        .arg(format!("--listen-address={address}"))
        .arg(format!("--pid-file={}", folder.join("dns.pid").display()))
        .arg(format!("--address=/{DOMAIN}/127.0.0.1"));
    let server = Server(command.spawn().expect("`make setup` installs dnsmasq"));
    let configuration = format!("nameserver {address}\n");
    std::fs::write(folder.join("resolv.conf"), configuration).unwrap();
    server
}

impl Names {
    fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// A program that resolves names by the name server and trusts the proxy.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c"])
            .arg("mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"")
            .arg(self.folder.path().join("resolv.conf"))
            .arg(program)
            .env("E2B_DOMAIN", &self.domain)
            .env("SSL_CERT_FILE", self.authority())
            .env("NODE_EXTRA_CA_CERTS", self.authority());
        command
    }
}
