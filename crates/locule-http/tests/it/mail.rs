//! E-mail to a mail server in the test: activation and password resets.

use locule_base::tasks::Tasks;
use locule_control::{MailConfig, Mailer};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::app::{App, PASSWORD, PATIENCE, Signed};

const ADA: &str = "ada@locule.test";

/// A mail server that keeps the mails.
struct Post {
    port: u16,
    mails: mpsc::UnboundedReceiver<String>,
    tasks: Tasks,
}

impl Drop for Post {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

impl Post {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tasks, (taken, mails)) = (Tasks::new(), mpsc::unbounded_channel());
        tasks.spawn("mail server", |stop| async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    accepted = listener.accept() => take_in(accepted?.0, &taken).await?,
                }
            }
        });
        Self { port, mails, tasks }
    }

    fn mailer(&self) -> Mailer {
        let config = MailConfig {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            login: None,
            from: "Locule <noreply@locule.test>".to_owned(),
            public_url: "https://locule.test/".to_owned(),
        };
        Mailer::new(&config).unwrap()
    }

    /// The next mail, and the token of its link; empty without a link.
    async fn next(&mut self) -> (String, String) {
        let mail = tokio::time::timeout(PATIENCE, self.mails.recv()).await;
        let mail = mail
            .unwrap()
            .unwrap()
            .replace("=\r\n", "")
            .replace("=3D", "=");
        let token = mail.split("token=").nth(1).unwrap_or_default();
        let token = token.chars().take_while(char::is_ascii_hexdigit).collect();
        (mail, token)
    }
}

async fn take_in(stream: TcpStream, taken: &mpsc::UnboundedSender<String>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 post.test\r\n").await?;
    let (mut line, mut mail) = (String::new(), None::<String>);
    while stream.read_line(&mut line).await? > 0 {
        let said = std::mem::take(&mut line);
        let answer = match &mut mail {
            Some(text) if said == ".\r\n" => {
                let _ = taken.send(std::mem::take(text));
                mail = None;
                "250 taken\r\n"
            }
            Some(text) => {
                text.push_str(&said);
                continue;
            }
            None if said.starts_with("DATA") => {
                mail = Some(String::new());
                "354 go on\r\n"
            }
            None if said.starts_with("QUIT") => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            None => "250 fine\r\n",
        };
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

fn code(answer: &crate::app::Answer) -> (u16, &str) {
    let code = answer.json["error"]["code"].as_str().unwrap_or_default();
    (answer.status.as_u16(), code)
}

async fn post(app: &App, path: &str, body: Value) -> crate::app::Answer {
    app.without_credential("POST", path, &body).await
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_account_is_inactive_until_its_email_address_is_verified(pool: PgPool) {
    let mut office = Post::open().await;
    let app = App::start_without_accounts(pool, |config| {
        config.accounts.mailer = Some(office.mailer());
    })
    .await;
    let sign_up = json!({ "email": ADA, "password": PASSWORD, "name": "Ada" });
    let login = json!({ "email": ADA, "password": PASSWORD });
    let signed_up = post(&app, "/v1/auth/signup", sign_up.clone()).await;
    assert_eq!(signed_up.status, 201, "{}", signed_up.json);
    assert!(signed_up.json["message"].is_string() && signed_up.json["token"].is_null());
    let (mail, token) = office.next().await;
    assert!(
        mail.contains("To: ada@locule.test")
            && mail.contains("https://locule.test/activate?token="),
        "{mail}"
    );
    assert_eq!(
        code(&post(&app, "/v1/auth/login", login.clone()).await),
        (403, "account_not_activated")
    );
    assert_eq!(
        code(&post(&app, "/v1/auth/signup", sign_up.clone()).await),
        (409, "signup_cooldown")
    );
    for wrong in ["", "0".repeat(32).as_str(), &token[..31]] {
        let refused = post(&app, "/v1/auth/activate", json!({ "token": wrong })).await;
        assert_eq!(code(&refused), (400, "invalid_token"), "{wrong}");
    }
    let active = post(&app, "/v1/auth/activate", json!({ "token": token })).await;
    assert_eq!(active.status, 200, "{}", active.json);
    let ada = Signed::of(&active.json);
    let me = app.by(&ada.token, "GET", "/v1/me", &Value::Null).await;
    assert_eq!(
        (&me.json["is_admin"], &me.json["team_id"]),
        (&json!(true), &json!(ada.team)),
        "the first"
    );
    let again = post(&app, "/v1/auth/activate", json!({ "token": token })).await;
    assert_eq!(code(&again), (400, "invalid_token"));
    assert_eq!(post(&app, "/v1/auth/login", login).await.status, 200);
    assert_eq!(
        code(&post(&app, "/v1/auth/signup", sign_up).await),
        (409, "email_taken")
    );
    // An account that is never activated frees its address.
    let bob = json!({ "email": "bob@locule.test", "password": PASSWORD, "name": "Bob" });
    post(&app, "/v1/auth/signup", bob.clone()).await;
    let (_, old) = office.next().await;
    sqlx::query("UPDATE users SET created_at = created_at - interval '31 minutes' WHERE status = 'inactive'")
        .execute(&app.pool)
        .await
        .unwrap();
    assert_eq!(post(&app, "/v1/auth/signup", bob).await.status, 201);
    let (_, new) = office.next().await;
    let refused = post(&app, "/v1/auth/activate", json!({ "token": old })).await;
    assert_eq!(code(&refused), (400, "invalid_token"));
    let active = post(&app, "/v1/auth/activate", json!({ "token": new })).await;
    assert_eq!(active.status, 200, "{}", active.json);
}

/// W-032: a reset ends every login. W-038: the response does not reveal whether the account exists.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_reset_token_sets_a_new_password_once(pool: PgPool) {
    let mut office = Post::open().await;
    let app = App::start_without_accounts(pool, |config| {
        config.accounts.mailer = Some(office.mailer());
    })
    .await;
    let sign_up = json!({ "email": ADA, "password": PASSWORD, "name": "Ada" });
    post(&app, "/v1/auth/signup", sign_up).await;
    let (_, token) = office.next().await;
    let ada = Signed::of(
        &post(&app, "/v1/auth/activate", json!({ "token": token }))
            .await
            .json,
    );
    let reset = "/v1/me/password/reset";
    for email in ["unknown@locule.test", ADA] {
        assert_eq!(
            post(&app, reset, json!({ "email": email })).await.status,
            204,
            "{email}"
        );
    }
    let (mail, token) = office.next().await;
    assert!(
        mail.contains("https://locule.test/reset-password?token="),
        "{mail}"
    );
    let confirm = async |token: &str, password: &str| {
        let body = json!({ "token": token, "new_password": password });
        post(&app, "/v1/me/password/reset/confirm", body).await
    };
    assert_eq!(
        code(&confirm(&token, "short").await),
        (400, "invalid_request")
    );
    assert_eq!(
        code(&confirm("no", "another one").await),
        (400, "invalid_token")
    );
    let (one, other) = tokio::join!(
        confirm(&token, "another one"),
        confirm(&token, "another one")
    );
    let mut codes = [one.status.as_u16(), other.status.as_u16()];
    codes.sort_unstable();
    assert_eq!(codes, [204, 400]);
    assert_eq!(
        app.by(&ada.token, "GET", "/v1/me", &Value::Null)
            .await
            .status,
        401
    );
    for (password, status) in [(PASSWORD, 401), ("another one", 200)] {
        let body = json!({ "email": ADA, "password": password });
        assert_eq!(
            post(&app, "/v1/auth/login", body).await.status,
            status,
            "{password}"
        );
    }
    let (mail, _) = office.next().await;
    assert!(mail.contains("Your password was changed"), "{mail}");
    let plain: Vec<Value> = sqlx::query_scalar("SELECT payload FROM jobs")
        .fetch_all(&app.pool)
        .await
        .unwrap();
    assert!(
        plain
            .iter()
            .all(|payload| !payload.to_string().contains(&token))
    );
}
