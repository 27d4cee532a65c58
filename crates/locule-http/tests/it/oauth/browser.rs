//! A browser for sign-ins: it follows redirects and keeps cookies by their attributes.

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, Url};

const REDIRECTS_MAX: usize = 10;

#[derive(Debug, Clone)]
struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
    script: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Browser {
    http: Client,
    jar: Vec<Cookie>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        Self {
            http: http.build().unwrap(),
            jar: Vec::new(),
        }
    }

    fn sent_to<'a>(&'a self, url: &'a Url) -> impl Iterator<Item = &'a Cookie> {
        self.jar.iter().filter(|cookie| {
            cookie.host == url.host_str().unwrap() && url.path().starts_with(&cookie.path)
        })
    }

    fn keep(&mut self, url: &Url, response: &Response) {
        for set in response.headers().get_all(SET_COOKIE) {
            let mut parts = set.to_str().unwrap().split("; ");
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            let attributes: Vec<&str> = parts.collect();
            let attribute = |name: &str| {
                let found = attributes.iter().find_map(|one| one.strip_prefix(name));
                found.map(str::to_owned)
            };
            let cookie = Cookie {
                host: url.host_str().unwrap().to_owned(),
                path: attribute("Path=").unwrap(),
                name: name.to_owned(),
                value: value.to_owned(),
                script: !attributes.contains(&"HttpOnly"),
            };
            assert!(attributes.contains(&"SameSite=Lax"), "{set:?}");
            self.jar
                .retain(|old| (&old.host, &old.name) != (&cookie.host, &cookie.name));
            if attribute("Max-Age=").unwrap() != "0" {
                self.jar.push(cookie);
            }
        }
    }

    async fn get(&mut self, url: &Url, token: Option<&str>) -> Response {
        let cookies: Vec<String> = self
            .sent_to(url)
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        let mut request = self.http.get(url.clone());
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        self.keep(url, &response);
        response
    }

    /// Loads one URL; returns the target of the redirect, if there is one.
    pub(crate) async fn step(&mut self, url: &str) -> Option<String> {
        let url = Url::parse(url).unwrap();
        let response = self.get(&url, None).await;
        let next = response.headers().get(LOCATION)?;
        assert!(response.status().is_redirection());
        Some(url.join(next.to_str().unwrap()).unwrap().into())
    }

    /// Follows redirects; returns the final URL.
    pub(crate) async fn open(&mut self, url: &str) -> String {
        let mut at = url.to_owned();
        for _ in 0..REDIRECTS_MAX {
            match self.step(&at).await {
                Some(next) => at = next,
                None => return at,
            }
        }
        panic!("no end of redirects at {at}");
    }

    /// Sends a request as a script of the dashboard does.
    pub(crate) async fn fetch(&mut self, url: &str, token: &str) -> serde_json::Value {
        let response = self.get(&Url::parse(url).unwrap(), Some(token)).await;
        assert_eq!(response.status(), 200);
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    /// The value of a cookie that a script on this page can read.
    pub(crate) fn script_reads(&self, page: &str, name: &str) -> Option<String> {
        let url = Url::parse(page).unwrap();
        let cookie = self
            .sent_to(&url)
            .find(|cookie| cookie.script && cookie.name == name)?;
        let value = percent_encoding::percent_decode_str(&cookie.value);
        Some(value.decode_utf8().unwrap().into_owned())
    }

    /// Names of the cookies that no script can read.
    pub(crate) fn hidden(&self) -> Vec<&str> {
        let hidden = self.jar.iter().filter(|cookie| !cookie.script);
        hidden.map(|cookie| cookie.name.as_str()).collect()
    }

    /// Copies one cookie of another browser.
    pub(crate) fn steal(&mut self, from: &Self, name: &str) {
        let stolen = from.jar.iter().find(|cookie| cookie.name == name).unwrap();
        self.jar.retain(|cookie| cookie.name != name);
        self.jar.push(stolen.clone());
    }
}
