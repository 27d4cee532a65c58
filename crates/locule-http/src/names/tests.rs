use super::*;

fn host(text: &str) -> Host {
    Authority::parse(text).unwrap().host
}

fn domain(text: &str) -> SandboxDomain {
    text.parse().unwrap()
}

/// Whether the API is answered, whether the routing headers are, and the label, empty where there is none.
fn answers(names: &Names, text: &str) -> Option<(bool, bool, String)> {
    let host = host(text);
    let answers = names.answers(&host)?;
    let label = answers.label.unwrap_or_default().to_owned();
    Some((answers.api, answers.routing_headers, label))
}

#[test]
fn a_host_is_a_name_or_an_address_with_an_optional_port() {
    for (text, host, port) in [
        ("LocalHost:8000", Host::Name("localhost".into()), Some(8000)),
        ("a-b_c.test.", Host::Name("a-b_c.test".into()), None),
        ("a.test:", Host::Name("a.test".into()), None),
        ("127.0.0.1", Host::Address([127, 0, 0, 1].into()), None),
        (
            "[::ffff:10.0.0.1]:80",
            Host::Address([10, 0, 0, 1].into()),
            Some(80),
        ),
        (
            "[fe80::1%25eth0]",
            Host::Address("fe80::1".parse().unwrap()),
            None,
        ),
    ] {
        assert_eq!(
            Authority::parse(text),
            Some(Authority { host, port }),
            "{text}"
        );
    }
    for text in [
        "", ".", "a..b", "a b", "a@b", "a/b", "a,b", "::1", "[::1", "[::1]x", "a:x", "a:+1",
        "a:65536", "a:1:2", "ä.test",
    ] {
        assert_eq!(Authority::parse(text), None, "{text:?}");
    }
}

#[test]
fn without_settings_the_platform_answers_to_loopback_names_alone() {
    let names = Names::default();
    for text in [
        "localhost",
        "LOCALHOST.",
        "127.0.0.1",
        "127.8.9.1:1",
        "[::1]:8000",
    ] {
        let (api, by_header, _) = answers(&names, text).unwrap();
        assert!(api && by_header, "{text}");
    }
    let local = answers(&names, "80-x.localhost");
    assert_eq!(local, Some((true, true, "80-x".to_owned())));
    for text in [
        "evil.test",
        "localhost.evil.test",
        "notlocalhost",
        "127.0.0.1.evil.test",
        "10.0.0.1",
        "0.0.0.0",
        "2130706433",
        "80-x.evil.test",
        "[::]",
    ] {
        assert_eq!(answers(&names, text), None, "{text}");
    }
}

#[test]
fn the_platform_answers_to_the_addresses_of_its_listener() {
    let listening = |text: &str| Names {
        listen: Some(text.parse().unwrap()),
        ..Names::default()
    };
    // 192.0.2.0/24 is for documentation: no machine has such an address.
    let one = listening("192.0.2.1");
    assert!(answers(&one, "192.0.2.1:8000").is_some());
    assert_eq!(answers(&one, "192.0.2.2"), None);
    for text in ["0.0.0.0", "::"] {
        let every = listening(text);
        assert!(answers(&every, "0.0.0.0").is_some());
        assert!(answers(&every, "127.0.0.2").is_some());
        assert_eq!(answers(&every, "192.0.2.1"), None);
        assert_eq!(answers(&every, "evil.test"), None);
    }
    assert!(is_of_this_machine([127, 0, 0, 1].into()));
}

#[test]
fn the_platform_answers_to_its_public_url_and_to_the_dashboards() {
    let names = Names {
        public: Origin::of_url("https://Locule.example.com:8443/").ok(),
        dashboard: Origin::of_url("https://app.example.com").ok(),
        ..Names::default()
    };
    // The proxy in front may listen on another port.
    for text in [
        "locule.example.com",
        "locule.example.com:1",
        "app.example.com",
    ] {
        assert_eq!(
            answers(&names, text),
            Some((true, true, String::new())),
            "{text}"
        );
    }
    for text in [
        "example.com",
        "x.locule.example.com",
        "80-x.locule.example.com",
    ] {
        assert_eq!(answers(&names, text), None, "{text}");
    }
}

#[test]
fn a_sandbox_domain_of_the_operator_takes_the_routing_headers_from_every_other_name() {
    let names = Names {
        public: Origin::of_url("https://locule.example.com").ok(),
        sandbox_domain: Some(domain("SBX.test:8443")),
        ..Names::default()
    };
    for (text, expected) in [
        ("localhost", Some((true, false, String::new()))),
        ("127.0.0.1", Some((true, false, String::new()))),
        ("locule.example.com", Some((true, false, String::new()))),
        ("sbx.test", Some((false, true, String::new()))),
        (
            "sandbox.sbx.test",
            Some((false, true, "sandbox".to_owned())),
        ),
        ("api.sbx.test:443", Some((true, true, "api".to_owned()))),
        ("80-x.sbx.test", Some((false, true, "80-x".to_owned()))),
        ("notsbx.test", None),
        ("sbx.test.evil.test", None),
    ] {
        assert_eq!(answers(&names, text), expected, "{text}");
    }
    assert!(!names.answers_without_host().routing_headers);
    assert_eq!(names.sandbox_domain.unwrap().as_str(), "sbx.test:8443");
}

#[test]
fn a_setting_that_is_no_name_is_refused() {
    for text in [
        "",
        "10.0.0.1",
        "*.sbx.test",
        "https://sbx.test",
        "sbx.test:x",
    ] {
        assert!(text.parse::<SandboxDomain>().is_err(), "{text}");
    }
    for text in [
        "",
        "*",
        "null",
        "example.com",
        "ftp://example.com",
        "https://",
        "https://a b",
    ] {
        assert!(Origin::of_url(text).is_err(), "{text}");
        assert!(text.parse::<Origin>().is_err(), "{text}");
    }
    let with_path: Result<Origin, NameError> = "https://example.com/".parse();
    with_path.unwrap_err();
}

#[test]
fn pages_of_the_platform_itself_may_call_the_api() {
    let names = Names {
        public: Origin::of_url("https://locule.example.com/").ok(),
        dashboard: Origin::of_url("https://app.example.com:8443").ok(),
        ..Names::default()
    };
    for (origin, host, allowed) in [
        ("https://locule.example.com", "locule.example.com", true),
        ("https://locule.example.com:443", "locule.example.com", true),
        ("https://app.example.com:8443", "locule.example.com", true),
        ("http://localhost:8000", "127.0.0.1:8000", true),
        ("http://127.0.0.1:8000", "localhost:8000", true),
        ("http://localhost:8001", "127.0.0.1:8000", false),
        ("http://localhost:8000", "locule.example.com:8000", false),
        // A page of a sandbox.
        ("http://80-x.localhost:8000", "localhost:8000", false),
        ("http://localhost:8000", "80-x.localhost:8000", false),
        ("http://locule.example.com", "locule.example.com", false),
        ("https://app.example.com", "locule.example.com", false),
        ("https://evil.test", "locule.example.com", false),
        ("null", "localhost", false),
        ("https://locule.example.com/", "locule.example.com", false),
    ] {
        let host = Authority::parse(host);
        let origin = HeaderValue::from_static(origin);
        assert_eq!(
            names.allow_origin(&origin, host.as_ref()),
            allowed,
            "{origin:?} {host:?}"
        );
    }
    let listed = Names {
        cors_origins: Some(vec!["https://page.test".parse().unwrap()]),
        ..names
    };
    let allowed = |origin| listed.allow_origin(&HeaderValue::from_static(origin), None);
    assert!(allowed("https://page.test"));
    assert!(!allowed("https://locule.example.com"));
}

#[test]
fn a_sandbox_domain_beside_the_public_url_shares_its_site() {
    let shares = |public: &str, sandboxes: &str| {
        let names = Names {
            public: Origin::of_url(public).ok(),
            sandbox_domain: Some(domain(sandboxes)),
            ..Names::default()
        };
        names.share_a_site()
    };
    assert!(shares("https://locule.example.com", "sbx.example.com"));
    assert!(shares("https://example.com", "example.com"));
    assert!(!shares(
        "https://locule.example.com",
        "example-sandboxes.com"
    ));
    assert!(!shares("http://127.0.0.1:8000", "sbx.test"));
}
