use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
};

use super::*;

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn der(key: &KeyPair) -> Vec<u8> {
    let request = CertificateParams::default().serialize_request(key).unwrap();
    request.der().to_vec()
}

#[test]
fn the_key_of_a_signing_request_is_read() {
    let key = key();
    let request = CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    let read = HostPublicKey::from_csr(&request.pem().unwrap()).unwrap();
    assert_eq!(read.der_bytes(), key.public_key_raw());
    assert_eq!(
        read.subject_public_key_info(),
        key.subject_public_key_info()
    );
}

/// A request whose text was changed is refused, whichever bit was changed.
#[test]
fn a_signing_request_with_one_wrong_bit_is_refused() {
    let good = der(&key());
    HostPublicKey::from_der(&good).unwrap();
    for at in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[at / 8] ^= 1 << (at % 8);
        HostPublicKey::from_der(&bad).unwrap_err();
    }
    for length in 0..good.len() {
        let cut = HostPublicKey::from_der(&good[..length]);
        assert_eq!(cut.unwrap_err(), BadCsr::Malformed, "{length}");
    }
    let longer = [&good[..], &[0]].concat();
    let longer = HostPublicKey::from_der(&longer);
    assert_eq!(longer.unwrap_err(), BadCsr::Malformed);
}

/// The signature proves that the host has the key: the request of another host with one's own signature is refused.
#[test]
fn a_signing_request_with_the_signature_of_another_key_is_refused() {
    let (one, other) = (der(&key()), key());
    let parts = Parts::read(&one).unwrap();
    let signature = rcgen::SigningKey::sign(&other, parts.signed).unwrap();
    let bits = [&[0][..], &signature].concat();
    let algorithm = [&[SEQUENCE, 10][..], ECDSA_SHA256].concat();
    let bits = [&[BIT_STRING, u8::try_from(bits.len()).unwrap()][..], &bits].concat();
    let content = [parts.signed, &algorithm, &bits].concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header = match length {
        [0, low @ 0x80..=0xff] => vec![SEQUENCE, 0x81, low],
        [high, low] => vec![SEQUENCE, 0x82, high, low],
    };
    let forged = [header, content].concat();
    let refused = HostPublicKey::from_der(&forged).unwrap_err();
    assert_eq!(refused, BadCsr::WrongSignature);
}

#[test]
fn a_key_of_another_kind_is_refused() {
    for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let refused = HostPublicKey::from_der(&der(&key)).unwrap_err();
        assert_eq!(refused, BadCsr::WrongKey);
    }
}

#[test]
fn a_text_that_is_no_signing_request_is_refused_with_its_reason() {
    let certificate = CertificateParams::default().self_signed(&key()).unwrap();
    let empty = "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n";
    let cases = [
        ("", BadCsr::NotPem),
        ("garbage", BadCsr::NotPem),
        (&certificate.pem(), BadCsr::NotPem),
        (&key().serialize_pem(), BadCsr::NotPem),
        (empty, BadCsr::Malformed),
        (&"x".repeat(PEM_BYTES_MAX + 1), BadCsr::TooLong),
    ];
    for (text, reason) in cases {
        assert_eq!(HostPublicKey::from_csr(text).unwrap_err(), reason, "{text}");
    }
}

mod fuzz {
    use super::*;

    /// A request that is accepted has a key that verifies the whole of what was signed.
    #[test]
    fn no_bytes_make_the_reader_of_signing_requests_panic() {
        let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let good = der(&key());
        let point = HostPublicKey::from_der(&good).unwrap().0;
        locule_fuzz::fuzz(&[good.clone(), der(&p384)], |input| {
            let read = HostPublicKey::from_der(input).map(|key| key.0);
            assert!(read.as_ref().is_err() || read == Ok(point.clone()));
            read
        });
    }
}
