//! A model of a file system that crashes: every file and folder with its current content and its last synced content.

use std::collections::BTreeMap;

/// A kind of crash, which defines the content that is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crash {
    /// The agent is killed, the machine runs on: nothing is lost.
    OfTheAgent,
    /// The machine fails. Changes of names are kept up to the last sync of any file; a file keeps its synced content.
    OfTheMachine,
    /// The machine fails after all changes of names were written, and before any content that was not synced.
    NamesFirst,
    /// The machine fails and keeps only synced content; the names of a folder are kept up to the folder's own last sync.
    Strict,
}

impl Crash {
    pub(super) const ALL: [Self; 4] = [
        Self::OfTheAgent,
        Self::OfTheMachine,
        Self::NamesFirst,
        Self::Strict,
    ];
}

/// The version of a file's content, and its bytes where they matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Content {
    /// 0: never written, or lost.
    pub(super) version: u32,
    pub(super) text: Option<Vec<u8>>,
}

type Names = BTreeMap<String, usize>;

#[derive(Debug, Clone)]
enum Node {
    File {
        now: Content,
        synced: Content,
    },
    Folder {
        now: Names,
        /// The names at the last sync of any file.
        journal: Names,
        synced: Names,
    },
}

/// Contents by path. The path of a folder ends with a slash.
pub(super) type Tree = BTreeMap<String, Content>;

#[derive(Debug)]
pub(super) struct Disk {
    nodes: Vec<Node>,
    versions: u32,
}

impl Disk {
    pub(super) fn new() -> Self {
        let root = Node::Folder {
            now: Names::new(),
            journal: Names::new(),
            synced: Names::new(),
        };
        Self {
            nodes: vec![root],
            versions: 0,
        }
    }

    fn names(&mut self, folder: usize) -> Option<&mut Names> {
        match &mut self.nodes[folder] {
            Node::Folder { now, .. } => Some(now),
            Node::File { .. } => None,
        }
    }

    fn find(&mut self, path: &str) -> Option<usize> {
        let mut at = 0;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at = *self.names(at)?.get(name)?;
        }
        Some(at)
    }

    /// The folder that a path is in, and its name there.
    fn place<'a>(&mut self, path: &'a str) -> Option<(usize, &'a str)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Some((self.find(folder)?, name))
    }

    fn add(&mut self, path: &str, node: Node) {
        let Some((folder, name)) = self.place(path) else {
            panic!("{path} is in no folder")
        };
        let new = self.nodes.len();
        self.nodes.push(node);
        let names = self.names(folder).expect("a folder");
        names.insert(name.to_owned(), new);
    }

    pub(super) fn make_folder(&mut self, path: &str) {
        if self.find(path).is_some() {
            // The pool itself, which exists before the recording.
            return;
        }
        self.add(
            path,
            Node::Folder {
                now: Names::new(),
                journal: Names::new(),
                synced: Names::new(),
            },
        );
    }

    pub(super) fn open(&mut self, path: &str, truncate: bool) {
        if self.find(path).is_none() {
            let (now, synced) = (Content::default(), Content::default());
            self.add(path, Node::File { now, synced });
        }
        if truncate {
            self.change(path, Some(Vec::new()));
        }
    }

    /// `None`: the content changes, but its bytes do not matter.
    fn change(&mut self, path: &str, text: Option<Vec<u8>>) {
        let Some(file) = self.find(path) else { return };
        self.versions += 1;
        if let Node::File { now, .. } = &mut self.nodes[file] {
            *now = Content {
                version: self.versions,
                text,
            };
        }
    }

    pub(super) fn append(&mut self, path: &str, more: Option<&[u8]>) {
        let text = self.find(path).and_then(|file| match &self.nodes[file] {
            Node::File { now, .. } => now.text.clone(),
            Node::Folder { .. } => None,
        });
        let text = text
            .zip(more)
            .map(|(text, more)| [text.as_slice(), more].concat());
        self.change(path, text);
    }

    pub(super) fn remove(&mut self, path: &str) {
        if let Some((folder, name)) = self.place(path)
            && let Some(names) = self.names(folder)
        {
            names.remove(name);
        }
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let moved = self.find(from).expect("the renamed file exists");
        self.remove(from);
        let (folder, name) = self.place(to).expect("a folder to move to");
        let names = self.names(folder).expect("a folder");
        names.insert(name.to_owned(), moved);
    }

    /// The content that a sync that starts now makes durable.
    pub(super) fn content(&mut self, path: &str) -> Option<(usize, Content)> {
        let file = self.find(path)?;
        match &self.nodes[file] {
            Node::File { now, .. } => Some((file, now.clone())),
            Node::Folder { .. } => Some((file, Content::default())),
        }
    }

    /// Ends a sync that started with this content.
    pub(super) fn sync(&mut self, started: Option<(usize, Content)>) {
        if let Some((node, content)) = started {
            match &mut self.nodes[node] {
                Node::File { synced, .. } => *synced = content,
                Node::Folder { now, synced, .. } => synced.clone_from(now),
            }
        }
        for node in &mut self.nodes {
            if let Node::Folder { now, journal, .. } = node {
                journal.clone_from(now);
            }
        }
    }

    /// The files after a crash at this moment.
    pub(super) fn after(&self, crash: Crash) -> Tree {
        let mut tree = Tree::new();
        self.walk(0, "", crash, &mut tree);
        tree
    }

    fn walk(&self, node: usize, path: &str, crash: Crash, tree: &mut Tree) {
        match &self.nodes[node] {
            Node::File { now, synced } => {
                let kept = if crash == Crash::OfTheAgent {
                    now
                } else {
                    synced
                };
                tree.insert(path.to_owned(), kept.clone());
            }
            Node::Folder {
                now,
                journal,
                synced,
            } => {
                let names = match crash {
                    Crash::OfTheAgent | Crash::NamesFirst => now,
                    Crash::OfTheMachine => journal,
                    Crash::Strict => synced,
                };
                tree.insert(format!("{path}/"), Content::default());
                for (name, child) in names {
                    self.walk(*child, &format!("{path}/{name}"), crash, tree);
                }
            }
        }
    }
}
