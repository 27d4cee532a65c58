//! A graph of files, and its cycles.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

/// Which file imports which, and on which line first.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    edges: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Graph {
    pub(crate) fn add_file(&mut self, file: &str) {
        self.edges.entry(file.to_owned()).or_default();
    }

    pub(crate) fn add(&mut self, from: &str, to: &str, line: usize) {
        if from == to {
            return;
        }
        self.add_file(to);
        let targets = self.edges.entry(from.to_owned()).or_default();
        let first = targets.entry(to.to_owned()).or_insert(line);
        *first = line.min(*first);
    }

    pub(crate) fn remove(&mut self, from: &str, to: &str) {
        if let Some(targets) = self.edges.get_mut(from) {
            targets.remove(to);
        }
    }

    /// Whether one file imports another one that reaches it.
    pub(crate) fn closes_a_cycle(&self, from: &str, to: &str) -> bool {
        let imports = self.edges.get(from).is_some_and(|all| all.contains_key(to));
        imports && self.reachable(to).contains(from)
    }

    /// The largest sets of two and more files that all reach each other, each sorted.
    pub(crate) fn cycles(&self) -> Vec<Vec<&str>> {
        let reach: BTreeMap<&str, BTreeSet<&str>> = self
            .edges
            .keys()
            .map(|file| (file.as_str(), self.reachable(file)))
            .collect();
        let mut cycles: Vec<Vec<&str>> = Vec::new();
        for (file, reached) in &reach {
            if !reached.contains(file) || cycles.iter().any(|cycle| cycle.contains(file)) {
                continue;
            }
            let cycle = reached.iter().filter(|other| reach[*other].contains(file));
            cycles.push(cycle.copied().collect());
        }
        cycles
    }

    /// The shortest way from the first of these files back to it, with the line of each import.
    pub(crate) fn path(&self, cycle: &[&str]) -> String {
        let start = cycle[0];
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(file) = queue.pop_front() {
            for next in self.edges[file].keys() {
                if cycle.contains(&next.as_str()) && !came_from.contains_key(next.as_str()) {
                    came_from.insert(next, file);
                    queue.push_back(next);
                }
            }
        }
        let mut shown = start.to_owned();
        let mut file = start;
        loop {
            let before = came_from[file];
            let line = self.edges[before][file];
            shown = format!("{before}:{line} → {shown}");
            file = before;
            if file == start {
                return shown;
            }
        }
    }

    fn reachable<'a>(&'a self, from: &str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut rest: Vec<&str> = vec![from];
        while let Some(file) = rest.pop() {
            for next in self.edges[file].keys() {
                if reached.insert(next.as_str()) {
                    rest.push(next);
                }
            }
        }
        reached
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (from, targets) in self.edges.iter().filter(|(_, targets)| !targets.is_empty()) {
            let targets: Vec<_> = targets
                .iter()
                .map(|(to, line)| format!("{to} ({line})"))
                .collect();
            writeln!(f, "  {from} → {}", targets.join(", "))?;
        }
        Ok(())
    }
}
