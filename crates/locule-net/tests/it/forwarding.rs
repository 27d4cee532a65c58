//! What a machine passes on between its networks while sandboxes run on it.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use locule_net::{Forwarding, NetOptions};

use crate::world::{Guest, Namespace, World, echo, instance};

const PORT: u16 = 4711;
const PATIENCE: Duration = Duration::from_secs(5);
const SWITCH: &str = "/proc/sys/net/ipv4/ip_forward";

/// The addresses of one network: that of the machine, and that of the other end.
const LEFT: (Ipv4Addr, Ipv4Addr) = (
    Ipv4Addr::new(203, 0, 113, 129),
    Ipv4Addr::new(203, 0, 113, 130),
);
const RIGHT: (Ipv4Addr, Ipv4Addr) = (
    Ipv4Addr::new(198, 51, 100, 129),
    Ipv4Addr::new(198, 51, 100, 130),
);

/// A namespace in the place of a machine, between two networks that are not Locule's.
struct Machine {
    namespace: Namespace,
    left: Namespace,
    _right: Namespace,
}

impl Machine {
    /// `switch`: whether the machine forwards packets.
    async fn new(switch: &str) -> Self {
        let name = |side| format!("l{side}{}", instance());
        let machine = Namespace::new(name("m")).await;
        let (left, right) = (
            Namespace::new(name("l")).await,
            Namespace::new(name("r")).await,
        );
        for (device, end, (own, other)) in [("left", &left, LEFT), ("right", &right, RIGHT)] {
            machine
                .ip(&format!(
                    "link add {device} type veth peer name eth0 netns {}\naddr add {own}/30 dev {device}\nlink set {device} up\n",
                    end.name
                ))
                .await;
            end.ip(&format!(
                "addr add {other}/30 dev eth0\nlink set eth0 up\nroute add default via {own}\n"
            ))
            .await;
        }
        machine.inside(|| std::fs::write(SWITCH, switch).unwrap());
        echo(right.inside(|| TcpListener::bind((RIGHT.1, PORT)).unwrap()));
        Self {
            namespace: machine,
            left,
            _right: right,
        }
    }

    /// Runs the host's side of Locule on this machine.
    fn run(&self, work: impl AsyncFnOnce() + Send) {
        self.namespace.inside(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(work());
        });
    }

    /// Whether a packet of one network reaches the other.
    fn passes_foreign_packets(&self) -> bool {
        let timeout = Duration::from_millis(400);
        let connect = || TcpStream::connect_timeout(&(RIGHT.1, PORT).into(), timeout);
        self.left.inside(connect).is_ok()
    }

    fn switch(&self) -> String {
        let text = || std::fs::read_to_string(SWITCH).unwrap();
        self.namespace.inside(text).trim().to_owned()
    }
}

fn reaches_the_right(guest: &Guest) {
    guest.connect((RIGHT.1, PORT).into(), PATIENCE).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_did_not_forward_passes_on_the_packets_of_sandboxes_only() {
    let machine = Machine::new("0").await;
    assert!(!machine.passes_foreign_packets());
    machine.run(async || {
        let world = World::new(NetOptions::default()).await;
        assert_eq!(world.host.forwarding(), Forwarding::SandboxesOnly);
        let net = world.host.create(0).await.unwrap();
        let guest = Guest::new(&net).await;
        reaches_the_right(&guest);
        assert!(!machine.passes_foreign_packets());
        // An agent that was restarted goes on.
        let again = world.open_again().await;
        assert_eq!(again.forwarding(), Forwarding::SandboxesOnly);
        reaches_the_right(&guest);
        assert!(!machine.passes_foreign_packets());
        // The end of one instance takes nothing from another.
        let other = World::new(NetOptions::default()).await;
        let its_guest = Guest::new(&other.host.create(0).await.unwrap()).await;
        drop(guest);
        again.close().await.unwrap();
        reaches_the_right(&its_guest);
        assert!(!machine.passes_foreign_packets());
        drop(its_guest);
        other.host.close().await.unwrap();
        assert_eq!(Forwarding::current().await.unwrap(), Forwarding::Off);
    });
    assert_eq!(machine.switch(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_forwarded_before_goes_on() {
    let machine = Machine::new("1").await;
    assert!(machine.passes_foreign_packets());
    machine.run(async || {
        let world = World::new(NetOptions::default()).await;
        assert_eq!(world.host.forwarding(), Forwarding::OfMachine);
        let net = world.host.create(0).await.unwrap();
        let guest = Guest::new(&net).await;
        reaches_the_right(&guest);
        assert!(machine.passes_foreign_packets());
        drop(guest);
        world.host.close().await.unwrap();
    });
    assert!(machine.passes_foreign_packets());
    assert_eq!(machine.switch(), "1");
}
