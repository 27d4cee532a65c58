//! Recognizes the control paths of the guest agent, which only the host agent may call, in every spelling.
//!
//! The guest agent and the host agent compare such a path byte by byte. Software between them and a client may normalize a
//! path first, so the proxy forwards no path that *could* be read as a control path.

use locule_guest_api::CONTROL_PATHS;

/// A path that is percent-encoded more often than this counts as an attempt to hide a control path.
const LAYERS_MAX: usize = 8;

/// Whether `path`, decoded any number of times, is a control path.
pub(crate) fn leads_to_control(path: &str) -> bool {
    let mut path = path.to_owned();
    for _ in 0..LAYERS_MAX {
        if is_control(&path) {
            return true;
        }
        let decoded = decode(&path);
        if decoded == path {
            return false;
        }
        path = decoded;
    }
    true
}

/// Compares segment by segment: without empty and dot segments, without parameters, ignoring case.
fn is_control(path: &str) -> bool {
    let path = path.replace('\\', "/");
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split('/') {
        let name = segment.split([';', '?', '#', '\0']).next();
        match name.unwrap_or_default().trim() {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name.to_ascii_lowercase()),
        }
    }
    let [only] = segments.as_slice() else {
        return false;
    };
    CONTROL_PATHS
        .iter()
        .any(|control| control.trim_start_matches('/') == only)
}

/// Percent-decodes once. Bytes that are not UTF-8 become replacement characters: no control path contains one.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = bytes
            .get(at + 1..at + 3)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let (b'%', Some(code)) = (byte, code) {
            decoded.push(code);
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_control_path_is_recognized() {
        for name in CONTROL_PATHS {
            let bare = &name[1..];
            let codes: Vec<String> = bare.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let encoded = codes.concat();
            for spelled in [
                name.to_owned(),
                format!("/{name}"),
                format!("{name}/"),
                format!("{name}//"),
                format!("/.{name}"),
                format!("/x/..{name}"),
                format!("/..{name}"),
                format!("/%2e%2e{name}"),
                format!("/%2f{bare}"),
                format!("/%5c{bare}"),
                format!("/{encoded}"),
                format!("/{}", encoded.replace('%', "%25")),
                format!("{name}%00"),
                format!("{name};a=b"),
                format!("{name}%3Fa"),
                format!("{name}%20"),
                name.to_uppercase(),
                format!("{name}/."),
                format!("{name}/x/.."),
            ] {
                assert!(leads_to_control(&spelled), "{spelled}");
            }
        }
    }

    #[test]
    fn a_path_encoded_too_often_counts_as_a_control_path() {
        assert!(leads_to_control(&format!("/%{}69nit", "25".repeat(20))));
    }

    #[test]
    fn a_path_that_only_resembles_a_control_path_is_forwarded() {
        for path in [
            "/",
            "/health",
            "/files",
            "/initial",
            "/init/x",
            "/x/init",
            "/process.Process/Start",
            "/a%2Fb%20c%",
            "/%ff",
        ] {
            assert!(!leads_to_control(path), "{path}");
        }
    }
}
