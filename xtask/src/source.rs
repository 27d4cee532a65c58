//! Reading our own source: which files there are, which paths a piece of code names.

pub(crate) mod lexer;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, UseTree};

use crate::source::lexer::{Kind, pieces};

/// Folders that hold what tools write.
const NOT_OURS: &[&str] = &[
    "target",
    ".git",
    "node_modules",
    ".svelte-kit",
    "build",
    "test-results",
];

/// Every file below a folder that ends in one of these, sorted; without what tools write.
pub(crate) fn files(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let shown = || format!("cannot read {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(shown)? {
            let path = entry.with_context(shown)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if !NOT_OURS.contains(&name.as_ref()) {
                    folders.push(path);
                }
            } else if path
                .extension()
                .is_some_and(|end| extensions.iter().any(|one| end == *one))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Every name in the code of a source, with its line; none from comments and texts.
pub(crate) fn code_names(source: &str) -> impl Iterator<Item = (&str, usize)> {
    pieces(source)
        .into_iter()
        .filter(|piece| piece.kind == Kind::Code)
        .flat_map(|piece| {
            let lines = piece.text.split('\n').zip(piece.line..);
            lines.flat_map(|(text, line)| {
                text.split(|c: char| c != '_' && !c.is_alphanumeric())
                    .filter(|name| !name.is_empty())
                    .map(move |name| (name, line))
            })
        })
}

/// One name that a `use` brings in.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) path: Vec<String>,
    /// The name in scope afterwards; `*` for a glob.
    pub(crate) name: String,
    pub(crate) line: usize,
}

/// The names that a `use` brings in, its braces taken apart.
pub(crate) fn leaves(tree: &UseTree) -> Vec<Leaf> {
    let mut found = Vec::new();
    collect(tree, &mut Vec::new(), &mut found);
    found
}

fn collect(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<Leaf>) {
    let mut leaf = |ident: &syn::Ident, name: &syn::Ident, before: &[String]| {
        let mut path = before.to_vec();
        let (ident, mut name) = (ident.to_string(), name.to_string());
        if ident == "self" && !path.is_empty() {
            if name == "self" {
                name = path.last().cloned().unwrap_or_default();
            }
        } else {
            path.push(ident);
        }
        found.push(Leaf {
            path,
            name,
            line: tree.span().start().line,
        });
    };
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            collect(&path.tree, before, found);
            before.pop();
        }
        UseTree::Name(name) => leaf(&name.ident, &name.ident, before),
        UseTree::Rename(rename) => leaf(&rename.ident, &rename.rename, before),
        UseTree::Glob(_) => found.push(Leaf {
            path: before.clone(),
            name: "*".to_owned(),
            line: tree.span().start().line,
        }),
        UseTree::Group(group) => {
            for tree in &group.items {
                collect(tree, before, found);
            }
        }
    }
}

/// The paths that code names, and the `use` lines inside it. Code for tests and visibilities are passed over.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    pub(crate) paths: Vec<(Vec<String>, usize)>,
    pub(crate) uses: Vec<Leaf>,
}

impl Paths {
    /// The arguments of a macro have no syntax that is known here: every run of names with `::` between them is a path.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut line, mut colons) = (0, 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path, line);
                    }
                    line = ident.span().start().line;
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.end(&mut path, line);
                    colons = 0;
                    self.tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.end(&mut path, line);
                    colons = 0;
                }
            }
        }
        self.end(&mut path, line);
    }

    fn end(&mut self, path: &mut Vec<String>, line: usize) {
        if !path.is_empty() {
            self.paths.push((std::mem::take(path), line));
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(item_attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs[..],
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            ImplItem::Verbatim(_) | _ => &[],
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.uses.extend(leaves(&item.tree));
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path.segments.iter().map(|one| one.ident.to_string());
        self.paths.push((names.collect(), path.span().start().line));
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.visit_path(&item.path);
        self.tokens(item.tokens.clone());
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.tokens(list.tokens.clone());
    }
}

/// Whether an item exists only in tests: `#[cfg(test)]`, also as one of several conditions.
pub(crate) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Ok(list) = attribute.meta.require_list() else {
            return false;
        };
        let condition = list.tokens.to_string();
        list.path.is_ident("cfg") && (condition == "test" || condition.starts_with("all (test"))
    })
}

/// The attributes of any kind of item.
pub(crate) fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Verbatim(_) | _ => &[],
    }
}
