//! Schemas that Rust's types do not imply, for the OpenAPI document: the formats of ids and names, and types of which only
//! some values are accepted. The control plane checks the values; the contract tests compare its checks with these schemas.

use std::borrow::Cow;

use utoipa::openapi::schema::{AnyOfBuilder, Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

/// An id: its prefix and a UUID.
macro_rules! uuid {
    ($prefix:literal) => {
        concat!(
            "^",
            $prefix,
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
        )
    };
}

/// 128 bits in base 36; the largest is `f5lxx1zz5pnorynqglhzmsp33`.
macro_rules! digits {
    () => {
        "([0-9a-e][0-9a-z]{2}|f[0-4][0-9a-z]|f5[0-9a-l])[0-9a-z]{22}"
    };
}

macro_rules! texts {
    ($($(#[doc = $doc:literal])+ $name:ident, $shown:literal, $length:expr, $example:literal, $pattern:expr;)*) => { $(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some(concat!($($doc),+).trim_start()))
                    .min_length(Some(*$length.start()))
                    .max_length(Some(*$length.end()))
                    .pattern((!$pattern.is_empty()).then_some($pattern))
                    .examples([$example])
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($shown)
            }
        }
    )* };
}

texts! {
    /// The id of a sandbox.
    SandboxId, "SandboxId", 39..=39, "sb-6ba7b810-9dad-11d1-80b4-00c04fd430c8", uuid!("sb-");
    /// The id of a host.
    HostId, "HostId", 41..=41, "host-6ba7b810-9dad-11d1-80b4-00c04fd430c8", uuid!("host-");
    /// The id of a user or of an API key.
    CreatorId, "CreatorId", 40..=40, "usr-6ba7b810-9dad-11d1-80b4-00c04fd430c8", uuid!("(usr|key)-");
    /// The name of a label, or a name and a value as `name=value`.
    LabelFilter, "LabelFilter", 1..=32769, "stage=prod", r"^[^=\x00][^\x00]*$";
    /// A part of an id, of the name of a template, or of a label.
    SearchText, "SearchText", 0..=256, "prod", r"^[^\x00]*$";
    /// The id of a user.
    UserId, "UserId", 40..=40, "usr-6ba7b810-9dad-11d1-80b4-00c04fd430c8", uuid!("usr-");
    /// The id of a team.
    TeamId, "TeamId", 41..=41, "team-6ba7b810-9dad-11d1-80b4-00c04fd430c8", uuid!("team-");
    /// The id of an API key. The id is not the secret key.
    ApiKeyId, "ApiKeyId", 40..=40, "key-6ba7b810-9dad-11d1-80b4-00c04fd430c8", uuid!("key-");
    /// The id of a login.
    SessionId, "SessionId", 40..=40, "ses-6ba7b810-9dad-11d1-80b4-00c04fd430c8", uuid!("ses-");
    /// The id of an audit log entry.
    AuditId, "AuditId", 40..=40, "log-6ba7b810-9dad-11d1-80b4-00c04fd430c8", uuid!("log-");
    /// The id of a sandbox: 128 bits as 25 digits of base 36.
    BareSandboxId, "e2b.SandboxId", 25..=25, "6dfzh5ik5uxynzmlf5cshamdk", concat!("^", digits!(), "$");
    /// An e-mail address of ASCII letters.
    Email, "Email", 3..=254, "ada@example.org", "^[!-?A-~]+@[!-?A-~]+$";
    /// The beginning of an e-mail address, up to the `@` at least.
    EmailPrefix, "EmailPrefix", 3..=254, "ada@ex", "^[!-?A-~]*@[!-?A-~]*$";
    /// A new password: 8 characters or more.
    NewPassword, "NewPassword", 8..=512, "correct horse battery staple", "";
    /// A name without control characters and with at least one character that is not a space.
    Name, "Name", 1..=100, "Ada Lovelace",
        r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
    /// Letters, digits, spaces or any of `_ - @ '`, and at least one character that is not a space.
    TeamName, "TeamName", 1..=128, "Ada's team", "^[A-Za-z0-9 _@'-]*[A-Za-z0-9_@'-][A-Za-z0-9 _@'-]*$";
    /// A SHA-256 hash in hexadecimal.
    Sha256, "Sha256", 64..=64, "7d47529268ae18f8480b895f5f71758051927eaa7a2e1c126f1bbf5492068915", "^[0-9a-f]{64}$";
    /// The name of a template.
    TemplateName, "TemplateName", 1..=64, "minimal", "^[A-Za-z0-9][A-Za-z0-9._-]*$";
    /// A key that the client generates for a request and repeats when it retries the request.
    IdempotencyKey, "IdempotencyKey", 1..=255, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "^[a-z0-9-]+$";
    /// A path in the sandbox.
    FilePath, "FilePath", 1..=4095, "/home/user/a.txt", r"^[^\x00]+$";
    /// The page token from the response with the previous page; empty for the first page.
    PageToken, "PageToken", 0..=44, "1764030000000000.6dfzh5ik5uxynzmlf5cshamdk", concat!("^([0-9]{1,18}[.]", digits!(), ")?$");
}

const TIMEOUT_MAX_SEC: i64 = 30 * 24 * 60 * 60;
const VCPUS_MAX: i64 = 8;
const MEMORY_MB_MIN: i64 = 128;
const MEMORY_MB_MAX: i64 = 8192;
const MEMORY_MB_STEP: i64 = 128;
const ENTRIES_MAX: usize = 256;
const TEXT_BYTES_MAX: usize = 16 * 1024;

fn nullable(one: Type) -> SchemaType {
    SchemaType::from_iter([one, Type::Null])
}

/// `schema_with` replaces the whole schema of a field, its documentation included.
fn described(mut object: Object, text: &str) -> Object {
    object.description = Some(text.to_owned());
    object
}

fn number(least: Option<i64>, most: i64) -> Object {
    ObjectBuilder::new()
        .schema_type(nullable(Type::Integer))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(least)
        .maximum(Some(most))
        .build()
}

fn either(one: Object, other: Object, text: &str) -> Schema {
    let either = AnyOfBuilder::new().item(one).item(other);
    either.description(Some(text)).into()
}

pub(crate) fn vcpus() -> Object {
    let text = "Number of virtual CPUs. Zero or less stands for the default of 1.";
    described(number(None, VCPUS_MAX), text)
}

/// Zero or less stands for the default.
pub(crate) fn memory_mb() -> Schema {
    let text = "Memory in MiB, a multiple of 128. Zero or less stands for the default of 512.";
    let mut size = number(Some(MEMORY_MB_MIN), MEMORY_MB_MAX);
    size.multiple_of = Some(MEMORY_MB_STEP.into());
    either(number(None, 0), size, text)
}

/// Of the E2B dialect, whose clients name any size.
pub(crate) fn rounded_memory_mb() -> Object {
    let text = "Memory in MiB, rounded up to a multiple of 128; the details of the sandbox have the rounded value. Default: 512.";
    described(number(Some(1), MEMORY_MB_MAX), text)
}

pub(crate) fn idle_seconds() -> Object {
    let text = "Seconds without activity after which the sandbox is paused; 0 never pauses an idle sandbox.";
    described(number(Some(0), TIMEOUT_MAX_SEC), text)
}

pub(crate) fn timeout_seconds() -> Object {
    let text = "Seconds until the sandbox times out, counted from now.";
    described(number(Some(1), TIMEOUT_MAX_SEC), text)
}

/// As [`timeout_seconds`], but required, and from 0.
pub(crate) fn required_timeout_seconds() -> Object {
    let text = "Seconds until the sandbox times out, counted from now. 0 ends the sandbox at once.";
    let mut required = described(number(Some(0), TIMEOUT_MAX_SEC), text);
    required.schema_type = Type::Integer.into();
    required
}

pub(crate) fn environment() -> Object {
    let text = "Environment variables of every process in the sandbox. Names and values of variables and labels together have 65536 bytes at most.";
    described(entries(r"^[^=\x00]+$"), text)
}

pub(crate) fn labels() -> Object {
    let text = "Labels to find the sandbox by. Names and values of variables and labels together have 65536 bytes at most.";
    described(entries(r"^[^\x00]+$"), text)
}

/// As [`labels`]; `null` stands for a label to remove.
pub(crate) fn label_changes() -> Object {
    let text = "Labels to set. `null` removes a label; a label that is not named stays. Names and values of variables and labels together have 65536 bytes at most.";
    let mut value = text_of(r"^[^\x00]*$");
    value.schema_type = nullable(Type::String);
    let mut changes = described(entries(r"^[^\x00]+$"), text);
    changes.schema_type = nullable(Type::Object);
    changes.additional_properties = Some(Box::new(Schema::from(value).into()));
    changes
}

pub(crate) fn new_expiry_seconds() -> Object {
    let text = "Seconds from now until `expires_at`. `null`: the sandbox never expires.";
    described(number(Some(1), TIMEOUT_MAX_SEC), text)
}

fn text_of(pattern: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(TEXT_BYTES_MAX))
        .pattern(Some(pattern))
        .build()
}

fn entries(names: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(text_of(names)))
        .additional_properties(Some(Schema::from(text_of(r"^[^\x00]*$"))))
        .max_properties(Some(ENTRIES_MAX))
        .build()
}

/// As [`labels`], or `null`.
pub(crate) fn optional_labels() -> Object {
    or_null(labels())
}

/// As [`environment`], or `null`.
pub(crate) fn optional_environment() -> Object {
    or_null(environment())
}

/// The number of a port.
#[derive(Debug)]
pub struct Port;

impl PartialSchema for Port {
    fn schema() -> RefOr<Schema> {
        let mut port = number(Some(1), i64::from(u16::MAX));
        port.schema_type = Type::Integer.into();
        described(port, "The number of a port.").into()
    }
}

impl ToSchema for Port {}

fn or_null(mut object: Object) -> Object {
    object.schema_type = nullable(Type::Object);
    object
}

/// `true` or `null`: `false` would request a behaviour that is not supported.
pub(crate) fn only_true() -> Object {
    described(only(true), "Not supported: `false` is refused.")
}

pub(crate) fn only_false() -> Object {
    described(only(false), "Not supported: `true` is refused.")
}

fn only(value: bool) -> Object {
    ObjectBuilder::new()
        .schema_type(nullable(Type::Boolean))
        .enum_values(Some([serde_json::json!(value), serde_json::Value::Null]))
        .build()
}

/// An empty object or `null`: any property would request a behaviour that is not supported.
pub(crate) fn nothing() -> Object {
    ObjectBuilder::new()
        .schema_type(nullable(Type::Object))
        .description(Some("Not supported: a value that is not empty is refused."))
        .max_properties(Some(0))
        .build()
}

/// The roles that a request may give: no request makes an owner.
pub(crate) fn given_role() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("The new role."))
        .enum_values(Some(["admin", "member"]))
        .build()
}
