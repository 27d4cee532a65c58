//! PostgreSQL becomes unreachable and reachable again: requests are refused as not ready, and no restart is needed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use locule_base::tasks::Tasks;
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use crate::app::{App, EMAIL, PASSWORD, PATIENCE};

/// A relay in front of the socket of the database, which the test can interrupt.
struct Wire {
    near: PathBuf,
    far: PathBuf,
    tasks: Tasks,
}

impl Wire {
    fn lay(near: &Path, far: &Path) -> Self {
        let mut wire = Self {
            near: near.to_owned(),
            far: far.to_owned(),
            tasks: Tasks::new(),
        };
        wire.mend();
        wire
    }

    fn mend(&mut self) {
        let listener = UnixListener::bind(&self.near).unwrap();
        let far = self.far.clone();
        self.tasks = Tasks::new();
        self.tasks.spawn("wire", |stop| async move {
            let mut carried = JoinSet::new();
            loop {
                tokio::select! {
                    // Open connections are dropped with this task.
                    () = stop.cancelled() => return Ok(()),
                    accepted = listener.accept() => {
                        let (mut near, _) = accepted?;
                        let far = far.clone();
                        carried.spawn(async move {
                            let mut far = UnixStream::connect(far).await?;
                            copy_bidirectional(&mut near, &mut far).await
                        });
                    }
                }
            }
        });
    }

    async fn cut(&self) {
        self.tasks.shutdown(PATIENCE).await.unwrap();
        std::fs::remove_file(&self.near).unwrap();
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn without_the_database_every_request_is_refused_as_not_ready_until_it_is_back(pool: PgPool) {
    let options = pool.connect_options();
    let name = format!(".s.PGSQL.{}", options.get_port());
    let real = options
        .get_socket()
        .expect("the tests' database has a socket");
    let folder = tempfile::tempdir().unwrap();
    let mut wire = Wire::lay(&folder.path().join(&name), &real.join(&name));
    let wired = PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(300))
        .connect_lazy_with((*options).clone().socket(folder.path()));
    let app = App::start(wired).await;
    let id = app.sandbox().await;
    let login = json!({ "email": EMAIL, "password": PASSWORD });
    let sandbox = format!("/v1/sandboxes/{id}");
    for _ in 0..2 {
        wire.cut().await;
        for (method, path) in [
            ("GET", "/health"),
            ("GET", "/v1/sandboxes"),
            ("GET", sandbox.as_str()),
            ("POST", "/v1/sandboxes"),
            ("DELETE", sandbox.as_str()),
        ] {
            let answer = app.call(method, path, "{}").await;
            assert_eq!(answer.status, 503, "{method} {path}: {}", answer.json);
            assert_eq!(answer.json["error"]["code"], "not_ready", "{method} {path}");
        }
        let refused = app
            .without_credential("POST", "/v1/auth/login", &login)
            .await;
        assert_eq!(refused.status, 503, "{}", refused.json);
        let refused = app.by(&app.token, "GET", "/v1/teams", &Value::Null).await;
        assert_eq!(refused.status, 503, "{}", refused.json);
        let dialect = app.call("GET", "/v2/sandboxes", "").await;
        assert_eq!(
            (dialect.status.as_u16(), &dialect.json["code"]),
            (503, &json!(503))
        );
        wire.mend();
        assert_eq!(app.call("GET", "/health", "").await.status, 200);
        app.login(EMAIL).await;
        let seen = app.call("GET", &sandbox, "").await;
        assert_eq!(seen.json["status"], "running");
    }
    app.sandbox().await;
}
