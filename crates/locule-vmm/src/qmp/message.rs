//! The meaning of one line that a VMM sends.

use std::io;

use serde_json::Value;

use crate::machine::VmmError;

/// A VMM that a guest has compromised may send anything: a longer reason is cut.
const REASON_CHARS_MAX: usize = 400;

#[derive(Debug, PartialEq)]
pub(super) enum Message {
    Answer {
        id: u64,
        result: Result<Value, String>,
    },
    /// A disk write of the guest failed, and the VMM stopped the guest before the write completed.
    DiskFailed,
    Other,
}

pub(super) fn parse(line: &[u8]) -> Result<Message, VmmError> {
    let bad = |source: serde_json::Error| VmmError::Control(io::Error::other(source));
    let value: Value = serde_json::from_slice(line).map_err(bad)?;
    let text = |path: &str| value.pointer(path).and_then(Value::as_str);
    if text("/event") == Some("BLOCK_IO_ERROR") && text("/data/action") == Some("stop") {
        return Ok(Message::DiskFailed);
    }
    let Some(id) = value.get("id").and_then(Value::as_u64) else {
        return Ok(Message::Other);
    };
    if let Some(error) = value.get("error") {
        let reason = error
            .get("desc")
            .and_then(Value::as_str)
            .unwrap_or("the VMM gave no reason");
        return Ok(Message::Answer {
            id,
            result: Err(reason.chars().take(REASON_CHARS_MAX).collect()),
        });
    }
    Ok(value
        .get("return")
        .map_or(Message::Other, |result| Message::Answer {
            id,
            result: Ok(result.clone()),
        }))
}

/// Lines of every kind, as seeds for fuzzing.
#[cfg(test)]
pub(super) const LINES: [&str; 5] = [
    r#"{"QMP":{"version":{"qemu":{"micro":0,"minor":2,"major":7}},"capabilities":["oob"]}}"#,
    r#"{"return":{},"id":1}"#,
    r#"{"id":18446744073709551615,"error":{"class":"GenericError","desc":"no such fd"}}"#,
    r#"{"timestamp":{"seconds":1,"microseconds":2},"event":"STOP"}"#,
    r#"{"return":{"status":"running","running":true},"id":2}"#,
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_and_unknown_lines_are_not_answers() {
        let other = [
            r#"{"event":"STOP"}"#,
            r#"{"event":"BLOCK_IO_ERROR","data":{"action":"report"}}"#,
            r#"{"event":"BLOCK_IO_ERROR","data":"stop"}"#,
            r#"{"id":"1","return":{}}"#,
            "[]",
            "3",
            r#"{"id":4}"#,
        ];
        for line in other {
            assert_eq!(parse(line.as_bytes()).unwrap(), Message::Other, "{line}");
        }
        parse(b"{").unwrap_err();
        parse(&[0xff, 0xfe]).unwrap_err();
    }

    #[test]
    fn a_refused_command_keeps_its_reason() {
        let line = br#"{"id":7,"error":{"class":"GenericError","desc":"no such fd"}}"#;
        let expected = Message::Answer {
            id: 7,
            result: Err("no such fd".to_owned()),
        };
        assert_eq!(parse(line).unwrap(), expected);
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(
            line in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            id in proptest::num::u64::ANY,
            text in ".{0,60}",
        ) {
            let _ = parse(&line);
            let answer = json!({ "id": id, "error": { "desc": text } }).to_string();
            let expected = Message::Answer { id, result: Err(text) };
            proptest::prop_assert_eq!(parse(answer.as_bytes()).unwrap(), expected);
        }
    }
}

#[cfg(test)]
mod fuzz {
    use super::*;

    #[test]
    fn any_line_of_a_vmm_parses_or_is_an_error() {
        locule_fuzz::fuzz(&LINES, |line| match parse(line) {
            Ok(Message::Answer {
                result: Err(reason),
                ..
            }) => {
                assert!(reason.chars().count() <= REASON_CHARS_MAX);
                "refusal".to_owned()
            }
            other => format!("{other:?}"),
        });
    }
}
