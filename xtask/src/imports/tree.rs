//! Reads the modules of a crate from its root file on, and resolves the paths that its code names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use syn::visit::Visit;
use syn::{Item, ItemMod};

use crate::imports::graph::Graph;
use crate::source::{Leaf, Paths, is_for_tests, item_attributes, leaves};

/// The number of re-exports that a name is followed through.
const HOPS_MAX: usize = 16;

/// A module, in a file of its own or inside another module's.
#[derive(Debug, Default)]
struct Module {
    /// From the folder of the crate.
    file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// Names of what the module defines itself.
    defines: BTreeSet<String>,
    imports: Vec<Leaf>,
    paths: Vec<(Vec<String>, usize)>,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Module(usize),
    /// Something that this module defines.
    Item(usize),
}

impl Found {
    fn module(self) -> usize {
        match self {
            Self::Module(module) | Self::Item(module) => module,
        }
    }
}

/// The import graph of the crate with this root file; files are named from `folder`.
pub(crate) fn read(root: &Path, folder: &Path) -> Result<Graph> {
    let mut tree = Tree {
        folder: folder.to_owned(),
        modules: Vec::new(),
    };
    let beside = root.parent().context("a root file has a folder")?;
    tree.file(root, beside, None)?;
    Ok(tree.graph())
}

#[derive(Debug)]
struct Tree {
    folder: PathBuf,
    modules: Vec<Module>,
}

impl Tree {
    /// Reads a file as a module whose own modules are in `below`.
    fn file(&mut self, file: &Path, below: &Path, parent: Option<usize>) -> Result<usize> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let parsed = syn::parse_file(&text).with_context(|| file.display().to_string())?;
        let shown = file.strip_prefix(&self.folder).unwrap_or(file);
        let shown = shown.display().to_string();
        self.module(&parsed.items, &shown, below, parent)
    }

    fn module(
        &mut self,
        items: &[Item],
        file: &str,
        below: &Path,
        parent: Option<usize>,
    ) -> Result<usize> {
        let at = self.modules.len();
        self.modules.push(Module {
            file: file.to_owned(),
            parent,
            ..Module::default()
        });
        let mut paths = Paths::default();
        for item in items {
            if is_for_tests(item_attributes(item)) {
                continue;
            }
            if let Item::Mod(module) = item {
                self.child(module, at, below)?;
            } else if let Item::Use(import) = item {
                self.modules[at].imports.extend(leaves(&import.tree));
            } else {
                self.modules[at].defines.extend(defined_name(item));
                paths.visit_item(item);
            }
        }
        // A `use` inside a function imports as one at the top does.
        let module = &mut self.modules[at];
        module.imports.extend(paths.uses);
        module.paths = paths.paths;
        Ok(at)
    }

    fn child(&mut self, module: &ItemMod, parent: usize, below: &Path) -> Result<()> {
        let name = module.ident.to_string();
        let folder = below.join(&name);
        let child = if let Some((_, items)) = &module.content {
            let file = self.modules[parent].file.clone();
            self.module(items, &file, &folder, Some(parent))?
        } else {
            let (flat, nested) = (below.join(format!("{name}.rs")), folder.join("mod.rs"));
            let file = if flat.exists() { flat } else { nested };
            if !file.exists() {
                // Written by the build script.
                return Ok(());
            }
            self.file(&file, &folder, Some(parent))?
        };
        self.modules[parent].children.insert(name, child);
        Ok(())
    }

    fn graph(&self) -> Graph {
        let mut graph = Graph::default();
        for (at, module) in self.modules.iter().enumerate() {
            graph.add_file(&module.file);
            for import in &module.imports {
                let Some(found) = self.resolve(at, &import.path, HOPS_MAX) else {
                    continue;
                };
                let target = found.module();
                // A module that is imported by its name counts where the name is used.
                let only_named = found == Found::Module(target) && import.name != "*";
                if only_named || self.is_below(target, at) {
                    continue;
                }
                graph.add(&module.file, &self.modules[target].file, import.line);
            }
            for (path, line) in &module.paths {
                // A single name is of this module, or was imported: then the `use` counts.
                if path.len() > 1
                    && let Some(found) = self.resolve_used(at, path)
                    && !self.is_below(found.module(), at)
                {
                    graph.add(&module.file, &self.modules[found.module()].file, *line);
                }
            }
        }
        graph
    }

    fn is_below(&self, mut module: usize, above: usize) -> bool {
        while let Some(parent) = self.modules[module].parent {
            if parent == above {
                return true;
            }
            module = parent;
        }
        false
    }

    /// Where a path in the code of this module leads: its first name may be an imported one.
    fn resolve_used(&self, at: usize, path: &[String]) -> Option<Found> {
        let imports = &self.modules[at].imports;
        match imports.iter().find(|import| import.name == path[0]) {
            Some(import) => {
                let path: Vec<_> = import.path.iter().chain(&path[1..]).cloned().collect();
                self.resolve(at, &path, HOPS_MAX)
            }
            None => self.resolve(at, path, HOPS_MAX),
        }
    }

    /// Where a path from this module leads, if it stays in the crate.
    fn resolve(&self, from: usize, path: &[String], hops: usize) -> Option<Found> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => self.modules[from].parent?,
            child => *self.modules[from].children.get(child)?,
        };
        while let Some((next, after)) = rest.split_first() {
            let module = &self.modules[at];
            if next == "super" {
                at = module.parent?;
            } else if let Some(child) = module.children.get(next) {
                at = *child;
            } else {
                return Some(self.item(at, next, after, hops));
            }
            rest = after;
        }
        Some(Found::Module(at))
    }

    /// The definition of a name in a module, through its re-exports.
    fn item(&self, at: usize, name: &str, after: &[String], hops: usize) -> Found {
        let module = &self.modules[at];
        if module.defines.contains(name) || hops == 0 {
            return Found::Item(at);
        }
        let named = module.imports.iter().filter(|import| import.name == name);
        let globs = module.imports.iter().filter(|import| import.name == "*");
        for import in named {
            let path: Vec<_> = import.path.iter().chain(after).cloned().collect();
            if let Some(found) = self.resolve(at, &path, hops - 1) {
                return found;
            }
        }
        for import in globs {
            let Some(found) = self.resolve(at, &import.path, hops - 1) else {
                continue;
            };
            let there = &self.modules[found.module()];
            if there.defines.contains(name) || there.children.contains_key(name) {
                return Found::Item(found.module());
            }
        }
        Found::Item(at)
    }
}

fn defined_name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::ExternCrate(_)
        | Item::ForeignMod(_)
        | Item::Impl(_)
        | Item::Mod(_)
        | Item::Use(_)
        | Item::Verbatim(_)
        | _ => return None,
    };
    Some(ident.to_string())
}
