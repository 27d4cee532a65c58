//! The laws of ids: what is printed is what is read, and nothing else is (B-003, B-004, B-007, W-030).

mod fuzz;

use locule_ids::{ApiKeyId, SandboxId, TeamId, TemplateId, UserId};
use proptest::prelude::*;
use uuid::Uuid;

/// 128-bit values with their base-36 bodies, taken from the published table of the format.
const VECTORS: [(u128, &str); 4] = [
    (0, "0000000000000000000000000"),
    (1, "0000000000000000000000001"),
    (
        0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8,
        "6dfzh5ik5uxynzmlf5cshamdk",
    ),
    (u128::MAX, "f5lxx1zz5pnorynqglhzmsp33"),
];

#[test]
fn base36_matches_the_published_vectors() {
    for (value, body) in VECTORS {
        let id = SandboxId::from_uuid(Uuid::from_u128(value));
        assert_eq!(id.base36(), body);
        assert_eq!(SandboxId::from_base36(body), Ok(id));
        assert_eq!(format!("sb-{body}").parse(), Ok(id));
        assert_eq!(format!("cl-{body}").parse(), Ok(id));
    }
}

#[test]
fn a_body_above_128_bits_is_refused_not_wrapped() {
    for body in ["f5lxx1zz5pnorynqglhzmsp34", "zzzzzzzzzzzzzzzzzzzzzzzzz"] {
        assert_eq!(SandboxId::from_base36(body).ok(), None, "{body}");
    }
}

#[test]
fn a_text_that_is_not_the_canonical_form_is_refused() {
    let id = SandboxId::random().to_string();
    let bare = id.trim_start_matches("sb-");
    let wrong = [
        String::new(),
        "sb-".to_owned(),
        bare.to_owned(),
        format!("usr-{bare}"),
        id.to_uppercase(),
        format!("sb-{}", bare.replace('-', "")),
        format!("sb-{{{bare}}}"),
        format!("sb-urn:uuid:{bare}"),
        format!("{id} "),
        format!(" {id}"),
        format!("{id}\n"),
        "sb-6DFZH5IK5UXYNZMLF5CSHAMDK".to_owned(),
    ];
    for text in wrong {
        assert_eq!(text.parse::<SandboxId>().ok(), None, "{text:?}");
    }
}

/// D-02.
#[test]
fn only_sandbox_ids_parse_with_the_older_prefix() {
    let body = Uuid::from_u128(7).hyphenated().to_string();
    format!("cl-{body}").parse::<SandboxId>().unwrap();
    format!("cl-{body}").parse::<UserId>().unwrap_err();
}

#[test]
fn ids_are_strings_in_json() {
    let id = ApiKeyId::random();
    let json = serde_json::to_string(&id).unwrap();
    assert_eq!(json, format!("\"{id}\""));
    assert_eq!(serde_json::from_str::<ApiKeyId>(&json).unwrap(), id);
    serde_json::from_str::<ApiKeyId>("\"\"").unwrap_err();
    serde_json::from_str::<ApiKeyId>("null").unwrap_err();
}

#[test]
fn the_platform_team_and_the_minimal_template_have_the_zero_id() {
    assert!(TeamId::PLATFORM.as_uuid().is_nil());
    assert!(TemplateId::MINIMAL.as_uuid().is_nil());
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(value: u128) {
        let id = SandboxId::from_uuid(Uuid::from_u128(value));
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert_eq!(SandboxId::from_base36(&id.base36()), Ok(id));
    }

    #[test]
    fn base36_keeps_the_order_of_values(a: u128, b: u128) {
        let (a, b) = (Uuid::from_u128(a), Uuid::from_u128(b));
        let body = |u| SandboxId::from_uuid(u).base36();
        prop_assert_eq!(a.cmp(&b), body(a).cmp(&body(b)));
    }

    #[test]
    fn any_text_is_read_or_refused_without_panic(text in ".{0,60}") {
        if let Ok(id) = text.parse::<SandboxId>() {
            let same = id.to_string() == text || text == format!("sb-{}", id.base36())
                || text == format!("cl-{}", id.base36()) || text == format!("cl-{}", id.as_uuid());
            prop_assert!(same, "{text:?}");
        }
    }
}

/// Every kind with its prefix, from the published table.
macro_rules! for_every_kind {
    ($check:ident) => {
        $check!(SandboxId, "sb-");
        $check!(UserId, "usr-");
        $check!(TeamId, "team-");
        $check!(locule_ids::HostId, "host-");
        $check!(locule_ids::HostTokenId, "htok-");
        $check!(locule_ids::HostRefreshTokenId, "hrt-");
        $check!(ApiKeyId, "key-");
        $check!(locule_ids::AuditId, "log-");
        $check!(locule_ids::BuildId, "bld-");
        $check!(locule_ids::ChannelId, "ch-");
        $check!(locule_ids::PermissionId, "perm-");
        $check!(locule_ids::JobId, "job-");
    };
}

#[test]
fn each_kind_of_id_parses_with_its_own_prefix_only() {
    let body = Uuid::from_u128(7).hyphenated().to_string();
    macro_rules! check {
        ($id:ty, $prefix:literal) => {
            let id = <$id>::from_uuid(Uuid::from_u128(7));
            assert_eq!(id.to_string(), format!(concat!($prefix, "{}"), body));
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(format!(concat!($prefix, "{}"), id.base36()).parse(), Ok(id));
            for other in [
                "sb-", "usr-", "team-", "host-", "htok-", "hrt-", "key-", "log-", "bld-", "ch-",
                "perm-", "job-", "",
            ] {
                if other != $prefix {
                    let foreign = format!("{other}{body}");
                    assert_eq!(foreign.parse::<$id>().ok(), None, "{foreign}");
                }
            }
        };
    }
    for_every_kind!(check);
}

#[test]
fn new_ids_are_random_and_of_version_4() {
    let (a, b) = (SandboxId::random(), SandboxId::random());
    assert_ne!(a, b);
    assert_eq!(a.as_uuid().get_version_num(), 4);
    assert!(!a.as_uuid().is_nil());
}
