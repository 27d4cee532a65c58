//! A stock nginx with a cache in front of the platform: what a sandbox sends is never the answer to a request for the API.

use std::path::Path;

use http::{HeaderMap, StatusCode};
use serde_json::json;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::Child;

use crate::app::{App, PATIENCE};

/// Debian's package `nginx-light`.
const NGINX: &str = "/usr/sbin/nginx";
const POISON: &str = "<script>poison</script>";

fn configuration(folder: &Path, upstream: std::net::SocketAddr) -> String {
    let folder = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};"))
        .concat();
    format!(
        "daemon off; master_process off; pid {folder}/pid; error_log stderr warn;
         events {{}}
         http {{
           access_log off;
           {temporary}
           proxy_cache_path {folder}/cache keys_zone=zone:1m;
           server {{
             listen unix:{folder}/nginx.sock;
             location / {{
               proxy_pass http://{upstream};
               proxy_set_header Host $host;
               proxy_cache zone;
               proxy_cache_valid any 10m;
               add_header X-Cache $upstream_cache_status always;
             }}
           }}
         }}"
    )
}

/// Ends with the value.
struct Nginx {
    folder: tempfile::TempDir,
    _process: Child,
}

impl Nginx {
    fn start(upstream: std::net::SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, configuration(folder.path(), upstream)).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the test runs nginx")]
        let mut command = tokio::process::Command::new(NGINX);
        command.args(["-e", "stderr", "-p"]).arg(folder.path());
        command.arg("-c").arg(&file).kill_on_drop(true);
        Self {
            _process: command.spawn().expect("nginx is installed by `make setup`"),
            folder,
        }
    }

    async fn connect(&self) -> UnixStream {
        let mut pace = tokio::time::interval(std::time::Duration::from_millis(5));
        loop {
            pace.tick().await;
            if let Ok(stream) = UnixStream::connect(self.folder.path().join("nginx.sock")).await {
                return stream;
            }
        }
    }

    /// The response to `GET path`, head and body.
    async fn get(&self, path: &str, headers: &str) -> String {
        let ask = async {
            let mut stream = self.connect().await;
            let request = format!(
                "GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut said = Vec::new();
            stream.read_to_end(&mut said).await.unwrap();
            String::from_utf8(said).unwrap()
        };
        tokio::time::timeout(PATIENCE, ask).await.unwrap()
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_cache_in_front_gives_no_request_for_the_api_what_a_sandbox_sent(pool: PgPool) {
    let app = App::start(pool).await;
    let body = json!({"templateID": "base"}).to_string();
    let made = app.call("POST", "/v2/sandboxes", &body).await;
    let id = made.json["sandboxID"].as_str().unwrap().to_owned();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", "text/html"),
        ("cache-control", "public, max-age=600"),
        ("expires", "Thu, 31 Dec 2099 23:59:59 GMT"),
        ("x-accel-expires", "600"),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    *app.guest.web_answer.lock().unwrap() = Some((StatusCode::OK, headers, POISON.to_owned()));
    let nginx = Nginx::start(app.listen().await);
    // The traffic token opens the port where the operator closes public ports.
    let by_header = format!(
        "E2b-Sandbox-Id: {id}\r\nE2b-Sandbox-Port: 8080\r\nX-API-Key: {}\r\n",
        app.key
    );
    for path in ["/docs", "/openapi.json", "/auth/github/callback"] {
        // The sandbox's response comes first, between, and last: no order gives a client what it did not ask for.
        for round in ["MISS", "HIT", "HIT"] {
            let theirs = nginx.get(path, &by_header).await;
            assert!(theirs.ends_with(POISON), "{path}: {theirs}");
            assert!(!theirs.contains("X-Cache: HIT"), "{path}: {theirs}");
            let ours = nginx.get(path, "").await;
            assert!(!ours.contains("poison"), "{path}: {ours}");
            // The cache works: the API's own responses come from it.
            assert!(
                ours.contains(&format!("X-Cache: {round}")),
                "{path}: {ours}"
            );
        }
    }
}
