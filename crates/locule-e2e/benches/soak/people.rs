//! Accounts of the soak: they join the administrator's team, log in, make keys, and lose all of it again.

use std::io;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use locule_e2e::api::{Api, Credential, bearer};
use locule_e2e::clock;
use locule_e2e::http::Answer;
use serde_json::{Value, json};

use crate::world::{World, locked};

const PASSWORD: &str = "a password of the soak";
/// How long a request is repeated while parts of the platform are killed.
const RETRY: Duration = Duration::from_mins(3);
/// Attempts at what takes several requests.
const TRIES: usize = 20;

/// An account. The administrator has one too.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    email: String,
    password: String,
    user: String,
    team: String,
    /// Empty before the login, and after the end of it.
    token: String,
}

impl Person {
    fn new(email: String, password: &str) -> Self {
        Self {
            email,
            password: password.to_owned(),
            user: String::new(),
            team: String::new(),
            token: String::new(),
        }
    }

    pub(crate) fn credential(&self) -> Credential {
        bearer(&self.token)
    }

    fn logged_in(&mut self, answer: &Value) {
        for (field, name) in [
            (&mut self.token, "token"),
            (&mut self.user, "user_id"),
            (&mut self.team, "team_id"),
        ] {
            if let Some(value) = answer[name].as_str() {
                value.clone_into(field);
            }
        }
    }

    /// The login has ended.
    pub(crate) fn forget_login(&mut self) {
        self.token.clear();
    }
}

/// Repeats a request until its answer has one of the statuses, and returns the answer. Another one is a fault, except errors of
/// a platform whose parts are killed.
fn insist(
    world: &World,
    what: &str,
    statuses: &[u16],
    mut call: impl FnMut() -> io::Result<Answer>,
) -> Result<Answer> {
    let deadline = clock::now() + RETRY;
    loop {
        let mark = world.quiet();
        let said = match call() {
            Ok(answer) if statuses.contains(&answer.status) => return Ok(answer),
            Ok(answer) => format!("{} {}", answer.status, answer.text()),
            Err(error) => error.to_string(),
        };
        if mark.is_some() && mark == world.quiet() || clock::now() > deadline {
            let fault = format!("{what}: {said}");
            world.fault(&fault);
            bail!(fault);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The accounts of one lap.
pub(crate) struct People<'a> {
    world: &'a World,
    admin: Person,
}

impl<'a> People<'a> {
    pub(crate) fn new(world: &'a World) -> Result<Self> {
        let credentials = locked(&world.platform).credentials()?;
        let text = |name: &str| credentials[name].as_str().context("the credentials");
        let mut admin = Person::new(text("email")?.to_owned(), text("password")?);
        let people = Self {
            world,
            admin: admin.clone(),
        };
        let answer = people.insist("login of the administrator", &[200], None, |api| {
            login(api, &admin)
        })?;
        admin.logged_in(&answer.json());
        Ok(Self { world, admin })
    }

    /// An account with this name, which may not exist yet.
    pub(crate) fn person(name: &str) -> Person {
        Person::new(format!("{name}@soak.test"), PASSWORD)
    }

    fn insist(
        &self,
        what: &str,
        statuses: &[u16],
        credential: Option<Credential>,
        mut call: impl FnMut(&mut Api) -> io::Result<Answer>,
    ) -> Result<Answer> {
        let mut api = self.world.api_with(credential);
        insist(self.world, what, statuses, || call(&mut api))
    }

    /// Makes the person a member of the administrator's team, with a login for that team.
    pub(crate) fn join(&self, person: &mut Person) -> Result<()> {
        let team = &self.admin.team;
        for _ in 0..TRIES {
            if person.token.is_empty() {
                self.login(person)?;
            }
            let switch = json!({ "team_id": team });
            let by = Some(person.credential());
            let switched = self.insist("switch to the team", &[200, 401, 403, 404], by, |api| {
                api.post("/v1/auth/switch-team", &switch)
            })?;
            match switched.status {
                200 => {
                    person.logged_in(&switched.json());
                    return Ok(());
                }
                401 => person.forget_login(),
                _ => {
                    let invitation = self.invite(person)?;
                    let path = format!("/v1/invitations/{invitation}/accept");
                    let by = Some(person.credential());
                    // Without an answer the invitation may be used up.
                    self.insist("accept an invitation", &[200, 400, 404, 409], by, |api| {
                        api.post(&path, &Value::Null)
                    })?;
                }
            }
        }
        bail!("{} does not become a member", person.email)
    }

    /// Logs in, with a new account when there is none.
    fn login(&self, person: &mut Person) -> Result<()> {
        for _ in 0..TRIES {
            let answer = self.insist("login", &[200, 401], None, |api| login(api, person))?;
            if answer.status == 200 {
                person.logged_in(&answer.json());
                return Ok(());
            }
            let invitation = self.invite(person)?;
            let body = json!({ "email": person.email, "password": person.password, "name": "Soak", "invitation": invitation });
            // Without an answer the account may be there.
            self.insist("sign-up", &[201, 403, 409], None, |api| {
                api.post("/v1/auth/signup", &body)
            })?;
        }
        bail!("{} cannot log in", person.email)
    }

    /// The token of an invitation to the team.
    fn invite(&self, person: &Person) -> Result<String> {
        let path = format!("/v1/teams/{}/members", self.admin.team);
        let body = json!({ "email": person.email });
        let by = Some(self.admin.credential());
        let answer = self.insist("invite", &[201], by, |api| api.post(&path, &body))?;
        let link = answer.json()["link"].as_str().map(str::to_owned);
        let link = link.context("the invitation has no link")?;
        let token = link.split_once("token=").context("the link has no token")?;
        Ok(token.1.to_owned())
    }

    /// A new key of the person, with its id.
    pub(crate) fn new_key(&self, person: &Person) -> Result<(String, Credential)> {
        let by = Some(person.credential());
        let body = json!({ "name": "soak" });
        let answer = self.insist("make a key", &[201], by, |api| {
            api.post("/v1/api-keys", &body)
        })?;
        let text = |name: &str| answer.json()[name].as_str().map(str::to_owned);
        let (id, key) = (text("id"), text("key"));
        Ok((
            id.context("the key has no id")?,
            ("x-api-key", key.context("the key has no secret")?),
        ))
    }

    /// Revokes a key of the person. Returns when that is acknowledged.
    pub(crate) fn revoke_key(&self, person: &Person, id: &str) -> Result<()> {
        let by = Some(person.credential());
        let path = format!("/v1/api-keys/{id}");
        self.insist("revoke a key", &[200, 204], by, |api| delete(api, &path))?;
        Ok(())
    }

    /// Removes the person from the team. Returns when that is acknowledged.
    pub(crate) fn remove(&self, person: &Person) -> Result<()> {
        let by = Some(self.admin.credential());
        let path = format!("/v1/teams/{}/members/{}", self.admin.team, person.user);
        // 404: an earlier attempt without an answer did it.
        self.insist("remove a member", &[200, 404], by, |api| delete(api, &path))?;
        Ok(())
    }

    /// Ends the login of the person. Returns when that is acknowledged.
    pub(crate) fn log_out(&self, person: &Person) -> Result<()> {
        let by = Some(person.credential());
        // 401: an earlier attempt without an answer did it.
        self.insist("log out", &[200, 204, 401], by, |api| {
            api.post("/v1/auth/logout", &json!({}))
        })?;
        Ok(())
    }
}

fn login(api: &mut Api, person: &Person) -> io::Result<Answer> {
    let body = json!({ "email": person.email, "password": person.password });
    api.post("/v1/auth/login", &body)
}

fn delete(api: &mut Api, path: &str) -> io::Result<Answer> {
    api.call("DELETE", path, &[], "application/json", b"")
}
