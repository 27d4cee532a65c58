//! Where the files of the dashboard come from, and in which encodings.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, header};

/// One file of a build.
pub(super) struct File {
    pub(super) content: Cow<'static, [u8]>,
    /// Tells contents apart, in quotes.
    pub(super) etag: String,
}

pub(super) trait Files {
    fn get(&self, path: &str) -> Option<File>;
}

/// The build that is part of this program. A debug build of the program reads the folder instead.
pub(super) struct Embedded;

#[derive(rust_embed::RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/build"]
#[allow_missing = true]
struct Build;

impl Files for Embedded {
    fn get(&self, path: &str) -> Option<File> {
        let file = Build::get(path)?;
        let hash = file.metadata.sha256_hash();
        let (start, _) = hash.split_at(16);
        Some(File {
            content: file.data,
            etag: format!("\"{}\"", hex::encode(start)),
        })
    }
}

/// The encodings in which the build has each file beside the plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    /// The encodings that a client takes, the smallest first.
    pub(super) fn accepted(headers: &HeaderMap) -> impl Iterator<Item = Self> {
        let accepts = |encoding: Self| {
            headers
                .get_all(header::ACCEPT_ENCODING)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(','))
                .any(|item| encoding.is_accepted_by(item))
        };
        [Self::Brotli, Self::Gzip]
            .into_iter()
            .filter(move |encoding| accepts(*encoding))
    }

    /// Whether an item of `Accept-Encoding`, such as `br;q=0.5`, accepts the encoding.
    fn is_accepted_by(self, item: &str) -> bool {
        let (name, quality) = item.split_once(';').unwrap_or((item, ""));
        let refused = quality
            .trim()
            .strip_prefix("q=")
            .and_then(|quality| quality.parse::<f32>().ok())
            .is_some_and(|quality| quality <= 0.0);
        !refused && name.trim().as_bytes() == self.name().as_bytes()
    }

    pub(super) fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        })
    }

    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gz",
        }
    }
}
