//! A caller of the API with everything that it can hold: a credential, the tokens of a sandbox, and open connections of every
//! kind.

use std::time::Duration;

use locule_e2e::api::Credential;
use locule_e2e::held::{Held, Opened};
use locule_e2e::http::head;
use serde_json::{Value, json};

use crate::world::World;

/// The guest's web server; see [`SERVER`].
const WEB_PORT: u16 = 7000;
const GUEST_PORT: u16 = 49983;
const JSON: &str = "application/json";
const TUNNEL: &str = "a tunnel of a port";
const UPGRADE: [(&str, &str); 4] = [
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
];
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
const ECHO_TIMEOUT: Duration = Duration::from_secs(15);

/// The web server of a real guest, which the stub has built in: `/hang` never ends, an upgrade echoes.
pub(crate) const SERVER: &str = r#"
import socket, threading
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 7000))
s.listen(64)
def serve(c):
    head = b""
    while b"\r\n\r\n" not in head:
        more = c.recv(4096)
        if not more:
            return c.close()
        head += more
    if b"upgrade: websocket" in head:
        c.sendall(b"HTTP/1.1 101 -\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        while more := c.recv(4096):
            c.sendall(more)
    elif head.startswith(b"GET /hang"):
        c.sendall(b"HTTP/1.1 200 -\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nbegun")
        c.recv(1)
    else:
        c.sendall(b"HTTP/1.1 200 -\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
    c.close()
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"#;

/// The kind of a connection, the request that opens it, and what the answer contains when it is open.
type Request = (&'static str, Vec<u8>, &'static str);

/// A connection, and the mark of the world in which it was opened.
pub(crate) struct Connection {
    pub(crate) kind: &'static str,
    pub(crate) mark: Option<u64>,
    pub(crate) held: Held,
}

pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) credential: Credential,
    /// The sandbox's id in host names, and the two tokens of it.
    tokens: [String; 3],
    pub(crate) open: Vec<Connection>,
}

/// What came of a new request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tried {
    Allowed(u16),
    /// 401 or 403.
    Refused,
    /// An error, or no answer.
    Neither(String),
}

impl Caller {
    /// `Err`: why the caller got no tokens of the sandbox.
    pub(crate) fn new(
        world: &World,
        name: String,
        credential: Credential,
        id: &str,
    ) -> Result<Self, String> {
        let mut api = world.api_with(Some(credential.clone()));
        let connected = api.post(&format!("/v2/sandboxes/{id}/connect"), &json!({}));
        let answer = connected.map_err(|error| error.to_string())?;
        if !answer.is_success() {
            return Err(format!("{} {}", answer.status, answer.text()));
        }
        let answer = answer.json();
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            name,
            credential,
            tokens: ["sandboxID", "envdAccessToken", "trafficAccessToken"].map(text),
            open: Vec::new(),
        })
    }

    /// Opens a connection of every kind. `Err`: the kind that is refused, and why.
    pub(crate) fn open(&mut self, world: &World, id: &str) -> Result<(), String> {
        let command = if world.stub {
            ("hold", json!([]))
        } else {
            ("sleep", json!(["180"]))
        };
        let of_api = self.requests_to_api(id, &command);
        for (kind, request, ready) in [of_api].into_iter().chain(self.requests_to_ports(&command)) {
            let mark = world.quiet();
            match Held::open(world.address, &request, ready, OPEN_TIMEOUT) {
                Ok(Opened::Held(held)) => {
                    world.count(format!("opened {kind}"));
                    self.open.push(Connection { kind, mark, held });
                }
                Ok(Opened::Refused(said)) => return Err(format!("{kind}: {said}")),
                Err(error) => return Err(format!("{kind}: {error}")),
            }
        }
        Ok(())
    }

    fn requests_to_api(&self, id: &str, (cmd, args): &(&str, Value)) -> Request {
        let (name, value) = &self.credential;
        let headers = [&[(*name, value.as_str())], &UPGRADE[..]].concat();
        let path = format!("/v1/sandboxes/{id}/exec/stream");
        let head = head("GET", &path, &headers, JSON, 0);
        let start = json!({ "type": "start", "cmd": cmd, "args": args }).to_string();
        let request = [head.into_bytes(), frame(&start)].concat();
        ("the exec WebSocket", request, "\"pid\"")
    }

    fn requests_to_ports(&self, (cmd, args): &(&str, Value)) -> [Request; 3] {
        let rpc = json!({ "process": { "cmd": cmd, "args": args }, "stdin": false }).to_string();
        let length = u32::try_from(rpc.len()).unwrap_or(0).to_be_bytes();
        let rpc = [&[0], length.as_slice(), rpc.as_bytes()].concat();
        let [address, access, traffic] = &self.tokens;
        let (guest, web) = (GUEST_PORT.to_string(), WEB_PORT.to_string());
        let of_guest = [
            ("e2b-sandbox-id", address.as_str()),
            ("e2b-sandbox-port", &guest),
            ("x-access-token", access),
            ("connect-protocol-version", "1"),
        ];
        let of_web = [
            ("e2b-sandbox-id", address.as_str()),
            ("e2b-sandbox-port", &web),
            ("e2b-traffic-access-token", traffic),
        ];
        let of_tunnel = [&of_web[..], &UPGRADE].concat();
        let start = "/process.Process/Start";
        let start = head(
            "POST",
            start,
            &of_guest,
            "application/connect+json",
            rpc.len(),
        );
        [
            (
                "the stream of a command at the guest agent's port",
                [start.into_bytes(), rpc].concat(),
                "\r\n\r\n",
            ),
            (
                "a response of a port",
                head("GET", "/hang", &of_web, JSON, 0).into_bytes(),
                "begun",
            ),
            (
                TUNNEL,
                head("GET", "/ws", &of_tunnel, JSON, 0).into_bytes(),
                "\r\n\r\n",
            ),
        ]
    }

    /// Whether every tunnel that is open sends back what it is sent.
    pub(crate) fn echoes(&mut self) -> bool {
        let mut tunnels = self.open.iter_mut();
        tunnels.all(|open| open.kind != TUNNEL || open.held.echoes("ping", ECHO_TIMEOUT))
    }

    /// A new request to the API about the sandbox.
    pub(crate) fn ask_api(&self, world: &World, id: &str) -> Tried {
        let mut api = world.api_with(Some(self.credential.clone()));
        tried(api.get(&format!("/v1/sandboxes/{id}")), &[])
    }

    /// A new request to the guest agent's port, and one to another port.
    pub(crate) fn ask_ports(&self, world: &World) -> [Tried; 2] {
        let [address, access, traffic] = &self.tokens;
        let ask = |port: u16, path: &str, header: (&str, &str), also: &[u16]| {
            let port = port.to_string();
            let headers = [
                ("e2b-sandbox-id", address.as_str()),
                ("e2b-sandbox-port", &port),
                header,
            ];
            let mut api = world.api_with(None);
            tried(api.call("GET", path, &headers, JSON, b""), also)
        };
        [
            // The guest agent says that there is no such file.
            ask(
                GUEST_PORT,
                "/files?path=/none",
                ("x-access-token", access),
                &[404],
            ),
            ask(WEB_PORT, "/", ("e2b-traffic-access-token", traffic), &[]),
        ]
    }
}

fn tried(answer: std::io::Result<locule_e2e::http::Answer>, also: &[u16]) -> Tried {
    match answer {
        Ok(answer) if answer.is_success() || also.contains(&answer.status) => {
            Tried::Allowed(answer.status)
        }
        Ok(answer) if matches!(answer.status, 401 | 403) => Tried::Refused,
        Ok(answer) => Tried::Neither(format!("{} {}", answer.status, answer.text())),
        Err(error) => Tried::Neither(error.to_string()),
    }
}

/// A WebSocket text frame of a client, with a mask of zeros.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap_or(0) & 0x7f;
    let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}
