//! The CA of the hosts, and both sides of connections with its certificates.

use std::io;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use locule_agent_api::tls::{
    AgentTls, CONTROL_NAME, ControlTrust, OwnCertificate, certificate_from_pem, control_client,
    host_name,
};
use locule_agent_api::{DialError, HostStream};
use locule_base::clock::ManualClock;
use rcgen::{
    CertificateParams, CertificateSigningRequest, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

const PLATFORM_KEY: &[u8] = &[7; 32];

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_900_000_000, 0).unwrap()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(noon()))
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn csr(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> String {
    let mut params = CertificateParams::default();
    change(&mut params);
    let request: CertificateSigningRequest = params.serialize_request(key).unwrap();
    request.pem().unwrap()
}

/// A host that has registered.
struct Host {
    id: HostId,
    own: OwnCertificate,
}

impl Host {
    fn of(platform: &HostCertificates) -> Self {
        let (id, key) = (HostId::random(), key());
        let issued = platform.issue_host(&csr(&key, |_| {}), id).unwrap();
        let own = OwnCertificate::from_pem(&issued.pem, &key.serialize_pem()).unwrap();
        Self { id, own }
    }
}

/// The connection of a control plane to a host, as each side sees it.
async fn connect(
    platform: &HostCertificates,
    dialled: HostId,
    agent: AgentTls,
) -> (Result<HostStream, DialError>, io::Result<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let connector = platform.connector(dialled, address);
    let (connected, accepted) = tokio::join!(connector.connect(), async {
        let (stream, _) = listener.accept().await.unwrap();
        agent.accept(stream).await.map(drop)
    });
    (connected, accepted)
}

fn agent(platform: &HostCertificates, own: &OwnCertificate) -> AgentTls {
    let ca = certificate_from_pem(&platform.ca_pem()).unwrap();
    let time = time_of(platform.clock.clone());
    AgentTls::new(&ca, own.clone(), time).unwrap()
}

/// Hosts stay known across versions: another derivation would cut every host off.
#[test]
fn every_replica_and_every_version_derives_the_same_ca_from_a_platform_key() {
    let one = HostCa::from_platform_key(PLATFORM_KEY).unwrap();
    let other = HostCa::from_platform_key(PLATFORM_KEY).unwrap();
    assert_eq!(one.certificate_pem(), other.certificate_pem());
    assert_eq!(
        one.pin().to_string(),
        "sha256:371e532c9ab7f99fa9c8b645a60d6d28976380fc01fca23a27f6d19b2c821063"
    );
    let foreign = HostCa::from_platform_key(&[8; 32]).unwrap();
    assert_ne!(one.pin(), foreign.pin());
}

/// W-036: the host's own key, a certificate of another replica of the control plane, verified by its name.
#[tokio::test]
async fn a_host_with_a_certificate_of_one_replica_is_reached_by_another() {
    let clock = clock();
    let issuing = HostCertificates::new(PLATFORM_KEY, clock.clone()).unwrap();
    let calling = HostCertificates::new(PLATFORM_KEY, clock.clone()).unwrap();
    let host = Host::of(&issuing);
    let (connected, accepted) = connect(&calling, host.id, agent(&issuing, &host.own)).await;
    connected.map(drop).unwrap();
    accepted.unwrap();

    let foreign = HostCertificates::new(&[8; 32], clock).unwrap();
    let (connected, accepted) = connect(&foreign, host.id, agent(&issuing, &host.own)).await;
    assert!(matches!(connected, Err(DialError::Certificate(_))));
    accepted.unwrap_err();
}

/// W-036: the certificate of a host is good for this host only, for no call, and for seven days.
#[tokio::test]
async fn the_certificate_of_a_host_stands_for_nothing_else() {
    let clock = clock();
    let platform = HostCertificates::new(PLATFORM_KEY, clock.clone()).unwrap();
    let (host, other) = (Host::of(&platform), Host::of(&platform));
    let (connected, _) = connect(&platform, other.id, agent(&platform, &host.own)).await;
    assert!(matches!(connected, Err(DialError::Certificate(_))));

    // As the client of another host.
    let ca = certificate_from_pem(&platform.ca_pem()).unwrap();
    let time = time_of(clock.clone());
    let caller = ControlTls::new(&ca, Arc::new(host.own.clone()), time.clone()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let connector = Connector::Tls(TlsHost::new(other.id, address, caller));
    let (_, accepted) = tokio::join!(connector.connect(), async {
        let (stream, _) = listener.accept().await.unwrap();
        agent(&platform, &other.own).accept(stream).await.map(drop)
    });
    accepted.unwrap_err();

    // As the listener of the control plane, with the CA behind the certificate.
    let listener = control_server(Arc::new(host.own.clone()), time).unwrap();
    for trust in [ControlTrust::Pin(platform.pin()), ControlTrust::Ca(ca)] {
        call(&platform, trust, Arc::new(listener.clone()))
            .await
            .unwrap_err();
    }

    // The last second of a certificate is part of its life.
    clock.advance(Duration::from_hours(7 * 24) + Duration::from_secs(1));
    let (connected, _) = connect(&platform, host.id, agent(&platform, &host.own)).await;
    assert!(matches!(connected, Err(DialError::Certificate(_))));
}

/// The call of a host agent.
async fn call(
    platform: &HostCertificates,
    trust: ControlTrust,
    listener: Arc<ServerConfig>,
) -> io::Result<()> {
    let client = control_client(trust, time_of(platform.clock.clone())).unwrap();
    let sockets = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = sockets.local_addr().unwrap();
    let (called, _) = tokio::join!(
        async {
            let stream = TcpStream::connect(address).await.unwrap();
            let dialled = ServerName::try_from("locule.example.com").unwrap();
            TlsConnector::from(Arc::new(client))
                .connect(dialled, stream)
                .await
        },
        async {
            let (stream, _) = sockets.accept().await.unwrap();
            TlsAcceptor::from(listener).accept(stream).await
        },
    );
    called.map(drop)
}

/// Before its registration a host knows nothing but the hash that the operator copied.
#[tokio::test]
async fn a_host_that_registers_knows_the_listener_by_the_hash_of_the_ca() {
    let platform = HostCertificates::new(PLATFORM_KEY, clock()).unwrap();
    let pin = platform.pin().to_string().parse().unwrap();
    call(&platform, ControlTrust::Pin(pin), platform.listener())
        .await
        .unwrap();
    let foreign = HostCa::from_platform_key(&[8; 32]).unwrap();
    let trust = ControlTrust::Pin(foreign.pin());
    let refused = call(&platform, trust, platform.listener()).await;
    refused.unwrap_err();
}

#[tokio::test]
async fn the_control_plane_renews_its_certificates_at_half_of_their_life() {
    let clock = clock();
    let ca = Arc::new(HostCa::from_platform_key(PLATFORM_KEY).unwrap());
    for purpose in [Purpose::Client, Purpose::Server] {
        let own = ControlCertificate::new(ca.clone(), purpose, clock.clone()).unwrap();
        let shown = || own.certified_key().cert[0].clone();
        let first = shown();
        clock.advance(Duration::from_mins(12 * 60 - 1));
        assert_eq!(shown(), first);
        clock.advance(Duration::from_mins(1));
        let second = shown();
        assert_ne!(second, first);
        assert_eq!(shown(), second);
    }
    // Days later, the same connector still opens connections.
    let platform = HostCertificates::new(PLATFORM_KEY, clock.clone()).unwrap();
    let host = Host::of(&platform);
    let agent = agent(&platform, &host.own);
    clock.advance(Duration::from_hours(3 * 24));
    let (connected, accepted) = connect(&platform, host.id, agent).await;
    connected.map(drop).unwrap();
    accepted.unwrap();
}

/// The object identifiers of extensions, as they stand in DER.
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
const SERVER_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];

fn contains(certificate: &CertificateDer<'_>, bytes: &[u8]) -> bool {
    certificate
        .windows(bytes.len())
        .any(|window| window == bytes)
}

/// W-036: a host asks for a key to be certified; it does not choose for what.
#[test]
fn names_and_purposes_in_a_signing_request_have_no_effect() {
    let platform = HostCertificates::new(PLATFORM_KEY, clock()).unwrap();
    let other = host_name(HostId::random());
    let asked = [other.as_str(), CONTROL_NAME, "example.com"];
    let request = csr(&key(), |params| {
        params
            .distinguished_name
            .push(DnType::CommonName, CONTROL_NAME);
        params.subject_alt_names = asked
            .iter()
            .map(|name| SanType::DnsName((*name).try_into().unwrap()))
            .collect();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    let id = HostId::random();
    let issued = platform.issue_host(&request, id).unwrap();
    let certificate = certificate_from_pem(&issued.pem).unwrap();
    let parsed = ParsedCertificate::try_from(&certificate).unwrap();
    let has = |name: &str| {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verify_server_name(&parsed, &name).is_ok()
    };
    assert!(has(&host_name(id)));
    for name in asked {
        assert!(!has(name), "{name}");
        assert!(!contains(&certificate, name.as_bytes()), "{name}");
    }
    assert!(contains(&certificate, SERVER_AUTH));
    assert!(!contains(&certificate, CLIENT_AUTH));
    assert!(!contains(&certificate, BASIC_CONSTRAINTS));
}

#[test]
fn an_issued_certificate_is_reported_as_it_is() {
    let ca = HostCa::from_platform_key(PLATFORM_KEY).unwrap();
    let now = noon() + TimeDelta::milliseconds(900);
    let request = csr(&key(), |_| {});
    let host = HostId::random();
    let issued = ca.issue_host(&request, host, now).unwrap();
    assert_eq!(issued.not_after, noon() + TimeDelta::days(7));
    let der = certificate_from_pem(&issued.pem).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, &der);
    assert_eq!(issued.fingerprint_sha256, hex::encode(digest));
    // 1900000000 − 60 s and + 7 days, as UTCTime.
    assert!(contains(&der, b"300317174540Z"));
    assert!(contains(&der, b"300324174640Z"));
    let again = ca.issue_host(&request, host, now).unwrap();
    assert_ne!(again.fingerprint_sha256, issued.fingerprint_sha256);
}

#[test]
fn a_signing_request_that_cannot_be_read_is_refused_with_its_reason() {
    let platform = HostCertificates::new(PLATFORM_KEY, clock()).unwrap();
    let refused = platform.issue_host("garbage", HostId::random());
    assert!(matches!(refused, Err(IssueError::Csr(BadCsr::NotPem))));
}
