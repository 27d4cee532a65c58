//! Takes Rust source apart into code, comments and texts, without parsing it.

/// What a piece of source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    Comment,
    /// A string, its quotes included.
    Text,
}

/// A run of source of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// The line that it begins on.
    pub(crate) line: usize,
}

/// Every piece, in order; together they are the source.
pub(crate) fn pieces(source: &str) -> Vec<Piece<'_>> {
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    let (mut rest, mut line, mut before) = (source, 1, ' ');
    while !rest.is_empty() {
        let (kind, length) = next(rest, before);
        let text = &rest[..length];
        match pieces.last_mut() {
            Some(last) if last.kind == kind && kind == Kind::Code => {
                let start = source.len() - rest.len() - last.text.len();
                last.text = &source[start..start + last.text.len() + length];
            }
            _ => pieces.push(Piece { kind, text, line }),
        }
        line += text.matches('\n').count();
        before = text.chars().last().unwrap_or(' ');
        rest = &rest[length..];
    }
    pieces
}

/// The kind of what comes next, and its length in bytes.
fn next(rest: &str, before: char) -> (Kind, usize) {
    if rest.starts_with("//") {
        return (Kind::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Kind::Comment, block_comment(rest));
    }
    if let Some(body) = rest.strip_prefix('"') {
        return (Kind::Text, 1 + quoted(body));
    }
    if !is_name(before)
        && let Some(length) = raw_string(rest)
    {
        return (Kind::Text, length);
    }
    if rest.starts_with('\'') {
        return (Kind::Code, character(rest));
    }
    let names = rest.len() - rest.trim_start_matches(is_name).len();
    let one = rest.chars().next().map_or(0, char::len_utf8);
    // A name as a whole: an `r` inside it begins no raw string.
    (Kind::Code, names.max(one))
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of a string's rest, its closing quote included.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of a raw string, of a byte string or of a C string that begins here.
fn raw_string(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c"].into_iter().find(|prefix| {
        rest.strip_prefix(prefix)
            .is_some_and(|after| after.starts_with(['"', '#']))
    })?;
    let after = &rest[prefix.len()..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let start = prefix.len() + hashes + 1;
    if !prefix.ends_with('r') {
        return (hashes == 0).then(|| start + quoted(body));
    }
    let end = format!("\"{}", "#".repeat(hashes));
    Some(
        body.find(&end)
            .map_or(rest.len(), |at| start + at + end.len()),
    )
}

/// The length of a character, or of the quote that begins a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((after, escaped))) => {
            let from = after + escaped.len_utf8();
            rest[from..].find('\'').map_or(1, |at| from + at + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind, source: &str) -> Vec<&str> {
        pieces(source)
            .into_iter()
            .filter(|piece| piece.kind == kind)
            .map(|piece| piece.text)
            .collect()
    }

    #[test]
    fn the_pieces_are_the_source() {
        let source = include_str!("lexer.rs");
        let together: String = pieces(source).iter().map(|piece| piece.text).collect();
        assert_eq!(together, source);
    }

    #[test]
    fn comments_and_texts_are_told_from_code() {
        let source = "let a = \"// no \\\" comment\"; // a \"comment\"\nlet b = r#\"x\"y\"#; /* /* */ c */ 'x'; b\"z\"";
        assert_eq!(
            of(Kind::Comment, source),
            ["// a \"comment\"", "/* /* */ c */"]
        );
        assert_eq!(
            of(Kind::Text, source),
            ["\"// no \\\" comment\"", "r#\"x\"y\"#", "b\"z\""]
        );
    }

    #[test]
    fn a_quote_character_and_a_lifetime_begin_no_text() {
        let source = "fn f<'a>(c: char) { if c == '\"' || c == '\\'' || c == 'ä' { \"text\"; } }";
        assert_eq!(of(Kind::Text, source), ["\"text\""]);
    }

    #[test]
    fn a_piece_knows_its_line() {
        let lines: Vec<_> = pieces("a\n\"b\nc\"\n// d")
            .iter()
            .map(|piece| piece.line)
            .collect();
        assert_eq!(lines, [1, 2, 3, 4]);
    }
}
