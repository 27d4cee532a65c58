//! `GET /docs`: the OpenAPI document as an HTML page. The page has no script and loads nothing from another host, and its
//! Content-Security-Policy allows neither.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::response::{Html, IntoResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, header};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::spec;

const STYLE: &str = include_str!("docs.css");
const REFERENCE: &str = "#/components/schemas/";

// Rendered once: the route needs no credential, so a client may request the page at any rate.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let document = serde_json::to_value(spec::document()).unwrap_or_default();
    page(&document)
});
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

pub(crate) async fn docs() -> impl IntoResponse {
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, Html(PAGE.as_str()))
}

/// Fields of an object, in the document's order. Empty for any other value.
fn fields(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let object = value.as_object().into_iter().flatten();
    object.map(|(name, value)| (name.as_str(), value))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A string value, escaped for the page. Empty for any other value.
fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn page(document: &Value) -> String {
    let (info, schemas) = (&document["info"], &document["components"]["schemas"]);
    let (title, version) = (text(&info["title"]), text(&info["version"]));
    let about = text(&info["description"]);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title} API</title><style>{STYLE}</style>\
         <main><h1>{title} API <small>{version}</small></h1><p>{about}</p>\
         <p>Send an API key in <code>X-API-Key</code>, or a login token in <code>Authorization: Bearer</code>. \
         This document is also available as <a href=\"/openapi.json\">JSON</a> and <a href=\"/openapi.yaml\">YAML</a>.</p>"
    );
    let operations: Vec<_> = fields(&document["paths"])
        .flat_map(|(path, item)| fields(item).map(move |(method, what)| (path, method, what)))
        .collect();
    let mut tags: Vec<String> = Vec::new();
    for (_, _, what) in &operations {
        let tag = text(&what["tags"][0]);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    for tag in tags {
        // Writing to a string cannot fail, here and below.
        write!(page, "<h2>{tag}</h2>").ok();
        let of_tag = operations
            .iter()
            .filter(|(_, _, what)| text(&what["tags"][0]) == tag);
        for (path, method, what) in of_tag {
            page += &operation(path, method, what);
        }
    }
    page += "<h2>Schemas</h2>";
    for (name, schema) in fields(schemas) {
        let (name, what) = (escape(name), described(schema));
        write!(
            page,
            "<section id=\"{name}\"><h3>{name}</h3>{what}</section>"
        )
        .ok();
    }
    page + "</main></html>"
}

fn operation(path: &str, method: &str, what: &Value) -> String {
    let (id, path) = (text(&what["operationId"]), escape(path));
    let (method, summary) = (method.to_uppercase(), text(&what["summary"]));
    let about = text(&what["description"]);
    let mut rows = String::new();
    for parameter in items(&what["parameters"]) {
        rows += &row(
            &format!(
                "{} <small>{}</small>",
                text(&parameter["name"]),
                text(&parameter["in"])
            ),
            &kind(&parameter["schema"]),
            &text(&parameter["description"]),
        );
    }
    for (media, content) in fields(&what["requestBody"]["content"]) {
        rows += &row("body", &kind(&content["schema"]), &escape(media));
    }
    for (status, response) in fields(&what["responses"]) {
        let mut contents = fields(&response["content"]).peekable();
        if contents.peek().is_none() {
            rows += &row(status, "", &text(&response["description"]));
        }
        for (media, content) in contents {
            rows += &row(status, &kind(&content["schema"]), &escape(media));
        }
    }
    format!(
        "<details id=\"{id}\"><summary><b>{method}</b> <code>{path}</code> {summary}</summary>\
         <p>{about}</p><table>{rows}</table></details>"
    )
}

fn row(name: &str, kind: &str, about: &str) -> String {
    format!("<tr><td>{name}<td><code>{kind}</code><td>{about}")
}

/// A named schema: its description and its properties.
fn described(schema: &Value) -> String {
    let mut text = format!("<p>{}</p>", text(&schema["description"]));
    let mut properties = fields(&schema["properties"]).peekable();
    if properties.peek().is_none() {
        write!(text, "<p><code>{}</code></p>", kind(schema)).ok();
        return text;
    }
    text += "<table>";
    for (name, property) in properties {
        let optional = !items(&schema["required"]).any(|required| required == name);
        let mark = if optional { "?" } else { "" };
        let name = format!("{}{mark}", escape(name));
        text += &row(
            &name,
            &kind(property),
            &self::text(&property["description"]),
        );
    }
    text + "</table>"
}

/// A schema in a few words, such as `list of string`.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        let name = escape(name.trim_start_matches(REFERENCE));
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    for (choice, between) in [("oneOf", " | "), ("anyOf", " | "), ("allOf", " &amp; ")] {
        let parts: Vec<String> = items(&schema[choice]).map(kind).collect();
        if !parts.is_empty() {
            return parts.join(between);
        }
    }
    let choices: Vec<String> = items(&schema["enum"])
        .map(|choice| escape(&choice.to_string()))
        .collect();
    if !choices.is_empty() {
        return choices.join(" | ");
    }
    let has: Vec<String> = fields(&schema["properties"])
        .map(|(name, property)| format!("{}: {}", escape(name), kind(property)))
        .collect();
    if !has.is_empty() {
        return format!("{{ {} }}", has.join(", "));
    }
    // `type` is a string, or a list of alternatives.
    let several: Vec<String> = items(&schema["type"]).map(text).collect();
    let name = text(&schema["type"]) + &several.join(" | ");
    let name = match schema["format"].as_str() {
        Some(format) => format!("{name} ({})", escape(format)),
        None => name,
    };
    let (item, value) = (&schema["items"], &schema["additionalProperties"]);
    if item.is_object() {
        name.replace("array", &format!("list of {}", kind(item)))
    } else if value.is_object() {
        name.replace("object", &format!("map of {}", kind(value)))
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_page_has_every_operation_and_the_target_of_every_link() {
        let document = serde_json::to_value(spec::document()).unwrap();
        let page = page(&document);
        for (path, item) in fields(&document["paths"]) {
            for (_, what) in fields(item) {
                let id = what["operationId"].as_str().unwrap();
                assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
            }
            assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
        }
        let mut links = 0;
        for link in page.split("href=\"#").skip(1) {
            let (name, _) = link.split_once('"').unwrap();
            assert!(page.contains(&format!("id=\"{name}\"")), "{name}");
            links += 1;
        }
        assert!(links > 50, "{links}");
    }

    #[test]
    fn a_schema_is_rendered_as_a_short_phrase() {
        for (schema, phrase) in [
            (json!({"type": "string", "format": "uuid"}), "string (uuid)"),
            (json!({"type": ["integer", "null"]}), "integer | null"),
            (
                json!({"type": "array", "items": {"type": "string"}}),
                "list of string",
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}}),
                "map of string",
            ),
            (
                json!({"type": "string", "enum": ["a", "b"]}),
                "&quot;a&quot; | &quot;b&quot;",
            ),
            (
                json!({"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/X"}]}),
                "null | <a href=\"#X\">X</a>",
            ),
            (
                json!({"type": "object", "properties": {"<": {"type": "string"}}}),
                "{ &lt;: string }",
            ),
        ] {
            assert_eq!(kind(&schema), phrase);
        }
    }
}
