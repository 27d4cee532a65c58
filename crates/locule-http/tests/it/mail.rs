//! E-mail to a mail server in the test: activation and password resets.

use locule_base::tasks::Tasks;
use locule_control::{MailConfig, Mailer, SignupPolicy};
use locule_testkit::run_as_owner;
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

async fn activate(app: &App, token: &str) -> crate::app::Answer {
    let body = json!({ "token": token, "password": PASSWORD });
    post(app, "/v1/auth/activate", body).await
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
        let refused = activate(&app, wrong).await;
        assert_eq!(code(&refused), (400, "invalid_token"), "{wrong}");
    }
    let active = activate(&app, &token).await;
    assert_eq!(active.status, 200, "{}", active.json);
    let ada = Signed::of(&active.json);
    let me = app.by(&ada.token, "GET", "/v1/me", &Value::Null).await;
    assert_eq!(
        (&me.json["is_admin"], &me.json["team_id"]),
        (&json!(true), &json!(ada.team)),
        "the first"
    );
    let again = activate(&app, &token).await;
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
    let refused = activate(&app, &old).await;
    assert_eq!(code(&refused), (400, "invalid_token"));
    let active = activate(&app, &new).await;
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
    let ada = Signed::of(&activate(&app, &token).await.json);
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
    assert_eq!(codes, [200, 400]);
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

/// An account that was prepared for its victim: the person who signs up with the address of another person and knows the password
/// has nothing once the owner of the address follows the link.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_activation_sets_the_password_of_the_owner_of_the_address(pool: PgPool) {
    let mut office = Post::open().await;
    let app = App::start_without_accounts(pool, |config| {
        config.accounts.mailer = Some(office.mailer());
    })
    .await;
    let attack = json!({ "email": ADA, "password": "of the attacker", "name": "Ada" });
    post(&app, "/v1/auth/signup", attack).await;
    let (_, token) = office.next().await;
    let without = post(&app, "/v1/auth/activate", json!({ "token": token })).await;
    assert_eq!(code(&without), (400, "invalid_request"));
    assert_eq!(activate(&app, &token).await.status, 200);
    for (password, status) in [("of the attacker", 401), (PASSWORD, 200)] {
        let body = json!({ "email": ADA, "password": password });
        let login = post(&app, "/v1/auth/login", body).await;
        assert_eq!(login.status, status, "{password}");
    }
}

/// The e-mail holds the link, and the answer does not. Its token proves the address.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_invitation_is_sent_to_its_address_and_proves_it(pool: PgPool) {
    let mut office = Post::open().await;
    let app = App::start_without_accounts(pool, |config| {
        config.accounts.signup = SignupPolicy::Invite;
        config.accounts.mailer = Some(office.mailer());
    })
    .await;
    let first = json!({ "email": "first@locule.test", "password": PASSWORD, "name": "First" });
    post(&app, "/v1/auth/signup", first).await;
    let (_, token) = office.next().await;
    let admin = Signed::of(&activate(&app, &token).await.json);
    let members = format!("/v1/teams/{}/members", admin.team);
    let invited = app
        .by(&admin.token, "POST", &members, &json!({ "email": ADA }))
        .await;
    assert_eq!(invited.status, 201, "{}", invited.json);
    assert!(invited.json["link"].is_null(), "{}", invited.json);
    let (mail, token) = office.next().await;
    assert!(
        mail.contains("To: ada@locule.test")
            && mail.contains("https://locule.test/invitation?token=")
            && mail.contains("First's Team"),
        "{mail}"
    );
    let stored: String = sqlx::query_scalar(
        "SELECT token_hash || (SELECT coalesce(json_agg(j)::text, '') FROM jobs j) FROM invitations",
    )
    .fetch_one(&app.pool)
    .await
    .unwrap();
    assert!(!stored.contains(&token));
    let sign_up = json!({ "email": ADA, "password": PASSWORD, "name": "Ada", "invitation": token });
    let signed = post(&app, "/v1/auth/signup", sign_up).await;
    // Active at once: no other e-mail is needed.
    let ada = Signed::of(&signed.json);
    let listed = app.by(&admin.token, "GET", &members, &Value::Null).await;
    assert_eq!(
        (&listed.json[1]["user_id"], &listed.json[1]["verified"]),
        (&json!(ada.user), &json!(true)),
        "{}",
        signed.json
    );
}

/// A link that the inviter passed on proves no address: with a mail server the account is activated first, and accepts then.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_link_that_was_not_mailed_does_not_activate_an_account(pool: PgPool) {
    let mut office = Post::open().await;
    let without_mail = App::start(pool.clone()).await;
    let admin = without_mail.login(crate::app::EMAIL).await;
    let invitation = without_mail.invite(&admin, ADA).await;
    let app = App::start_without_accounts(pool, |config| {
        config.accounts.signup = SignupPolicy::Invite;
        config.accounts.mailer = Some(office.mailer());
    })
    .await;
    let sign_up =
        json!({ "email": ADA, "password": PASSWORD, "name": "Ada", "invitation": invitation });
    let signed = post(&app, "/v1/auth/signup", sign_up).await;
    assert_eq!(signed.status, 201, "{}", signed.json);
    assert!(signed.json["token"].is_null());
    let (_, token) = office.next().await;
    let ada = Signed::of(&activate(&app, &token).await.json);
    let teams = app.by(&ada.token, "GET", "/v1/teams", &Value::Null).await;
    assert_eq!(teams.json.as_array().unwrap().len(), 1);
    let joined = app.accept(&ada, &invitation).await;
    assert_eq!(joined.status, 200, "{}", joined.json);
}

/// An account that was made while sign-up was open, or before the first administrator, is activated only while the policy admits it.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_activation_needs_what_the_policy_of_its_moment_says(pool: PgPool) {
    let mut office = Post::open().await;
    let app = App::start_without_accounts(pool, |config| {
        config.accounts.signup = SignupPolicy::Invite;
        config.accounts.mailer = Some(office.mailer());
    })
    .await;
    let mut tokens = Vec::new();
    for email in ["first@locule.test", "second@locule.test"] {
        let sign_up = json!({ "email": email, "password": PASSWORD, "name": "x" });
        assert_eq!(post(&app, "/v1/auth/signup", sign_up).await.status, 201);
        tokens.push(office.next().await.1);
    }
    assert_eq!(activate(&app, &tokens[0]).await.status, 200);
    assert_eq!(
        code(&activate(&app, &tokens[1]).await),
        (403, "invitation_required")
    );
}

/// W-038: a request to reset a password writes the same, with and without an account.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_password_reset_does_the_same_work_for_an_unknown_address(pool: PgPool) {
    let mut office = Post::open().await;
    let app = App::start_without_accounts(pool, |config| {
        config.accounts.mailer = Some(office.mailer());
    })
    .await;
    run_as_owner(
        &app.pool,
        "CREATE TABLE inserted (payload JSONB);
         GRANT SELECT, INSERT, DELETE, TRUNCATE ON inserted TO PUBLIC;
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO inserted VALUES (NEW.payload); RETURN NEW; END $$;
         CREATE TRIGGER note AFTER INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION note();",
    )
    .await;
    let sign_up = json!({ "email": ADA, "password": PASSWORD, "name": "Ada" });
    post(&app, "/v1/auth/signup", sign_up).await;
    let (_, token) = office.next().await;
    activate(&app, &token).await;
    for email in ["unknown@locule.test", ADA] {
        let body = json!({ "email": email });
        assert_eq!(
            post(&app, "/v1/me/password/reset", body).await.status,
            204,
            "{email}"
        );
    }
    let resets: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM inserted WHERE payload ->> 'letter' = 'password_reset'",
    )
    .fetch_one(&app.pool)
    .await
    .unwrap();
    assert_eq!(resets, 2);
    let (mail, _) = office.next().await;
    assert!(mail.contains("To: ada@locule.test"), "{mail}");
}
