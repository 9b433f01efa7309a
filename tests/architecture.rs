//! The rooms of `src` know only those to their left, no files know each other in a circle, and words mean one thing.
//!
//! Reads the sources without their tests, finds every `use` and every path with `::` in the code, and follows each to the
//! file that defines the item, through the re-exports of `mod.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and the rooms that it may import from. `lib.rs` names all of them and stands outside.
const ROOMS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("capture", &["base"]),
    ("link", &["base"]),
    ("ip", &["base", "link"]),
    ("transport", &["base", "ip"]),
    ("message", &["base", "ip", "transport"]),
    ("sink", &["base", "ip", "transport", "message"]),
    ("assembler", &["base", "link", "ip", "transport", "message"]),
    ("cli", &["base", "capture", "message", "sink", "assembler"]),
    ("main", &["cli"]),
];

/// At least so many of a thousand lines are comments that say why.
const WHY_COMMENTS: usize = 25;

// --- Tokens ---

#[derive(Clone, Debug, PartialEq)]
struct Token {
    text: String,
    line: usize,
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_alphabetic())
}

/// Words, `::` and single signs. Comments, strings, characters, lifetimes and numbers are left out.
fn tokens(source: &str) -> Vec<Token> {
    let c: Vec<char> = source.chars().collect();
    let at = |i: usize| c.get(i).copied().unwrap_or('\0');
    let word = |c: char| c == '_' || c.is_alphanumeric();
    let (mut found, mut i, mut line) = (Vec::new(), 0, 1);
    while i < c.len() {
        let begin = i;
        let mut token = None;
        match c[i] {
            '/' if at(i + 1) == '/' => {
                while i < c.len() && c[i] != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= c.len() {
                        break;
                    }
                }
            }
            '"' => i = behind_string(&c, i),
            '\'' if at(i + 1) == '\\' => {
                i += 3; // what is escaped may be a quote
                while i < c.len() && c[i - 1] != '\'' {
                    i += 1;
                }
            }
            '\'' if at(i + 2) == '\'' => i += 3,
            '\'' => {
                i += 1;
                while word(at(i)) {
                    i += 1;
                }
            }
            x if word(x) => {
                while word(at(i)) {
                    i += 1;
                }
                let text: String = c[begin..i].iter().collect();
                let hashes = (i..).take_while(|&n| at(n) == '#').count();
                let raw = ["r", "br", "cr"].contains(&text.as_str());
                if raw && at(i + hashes) == '"' {
                    let mut end = vec!['"'];
                    end.extend(std::iter::repeat_n('#', hashes));
                    i += hashes + 1;
                    while i < c.len() && !c[i..].starts_with(&end) {
                        i += 1;
                    }
                    i += end.len();
                } else if ["b", "c"].contains(&text.as_str()) && at(i) == '"' {
                    i = behind_string(&c, i);
                } else if text == "b" && at(i) == '\'' {
                    i += 1;
                    while i < c.len() && c[i] != '\'' {
                        i += if c[i] == '\\' { 2 } else { 1 };
                    }
                    i += 1;
                } else if is_word(&text) {
                    token = Some(text);
                }
            }
            ':' if at(i + 1) == ':' => {
                i += 2;
                token = Some("::".into());
            }
            x => {
                i += 1;
                if !x.is_whitespace() {
                    token = Some(x.into());
                }
            }
        }
        found.extend(token.map(|text| Token { text, line }));
        let i = i.min(c.len());
        line += c[begin..i].iter().filter(|&&x| x == '\n').count();
    }
    found
}

/// The place behind the string whose quote stands at `i`.
fn behind_string(c: &[char], mut i: usize) -> usize {
    i += 1;
    while i < c.len() && c[i] != '"' {
        i += if c[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// The place behind the bracket that closes the one at `i`.
fn behind_group(t: &[Token], mut i: usize) -> usize {
    let mut depth = 0;
    while let Some(token) = t.get(i) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        i += 1;
        if depth == 0 {
            break;
        }
    }
    i
}

/// The place behind the item, field or statement at `i`.
fn behind_item(t: &[Token], mut i: usize) -> usize {
    let text = |i: usize| t.get(i).map_or("", |t| t.text.as_str());
    while text(i) == "#" {
        i = behind_group(t, i + 1);
    }
    if text(i) == "pub" {
        i += 1;
        if text(i) == "(" {
            i = behind_group(t, i);
        }
    }
    let field = text(i + 1) == ":" && text(i) != "const";
    loop {
        match text(i) {
            "" | ")" | "]" | "}" => return i,
            ";" => return i + 1,
            "," if field => return i + 1,
            "{" => {
                i = behind_group(t, i);
                return i + usize::from(text(i) == ";");
            }
            "(" | "[" => i = behind_group(t, i),
            _ => i += 1,
        }
    }
}

/// What stands in the brackets of an attribute leaves its item to the tests.
fn is_test_only(attribute: &[Token]) -> bool {
    let has = |word: &str| attribute.iter().any(|t| t.text == word);
    attribute.first().is_some_and(|t| t.text == "cfg") && has("test") && !has("not")
}

// --- Modules ---

/// A `use`, or a path in the code.
#[derive(Clone, Debug, PartialEq)]
struct Import {
    path: Vec<String>,
    /// The name that it has here; None for a path in the code and for `*`.
    name: Option<String>,
    glob: bool,
    public: bool,
    line: usize,
}

#[derive(Debug, Default)]
struct Module {
    file: String,
    parent: Option<usize>,
    children: HashMap<String, usize>,
    /// Names of what is defined here.
    items: BTreeSet<String>,
    /// Those of them that are types.
    types: BTreeSet<String>,
    uses: Vec<Import>,
    paths: Vec<Import>,
    /// How often each word stands outside `use` and `mod`.
    words: HashMap<String, usize>,
}

/// The sources: text by path below `src`.
type Sources = BTreeMap<String, String>;

#[derive(Debug, Default)]
struct Crate {
    modules: Vec<Module>,
    /// Files, or folders with a stroke behind them, of `#[cfg(test)] mod`.
    tests: BTreeSet<String>,
    loaded: BTreeSet<String>,
}

impl Crate {
    /// Reads what `lib.rs` declares, and `main.rs`, whose `inet_asm` is the former.
    fn read(sources: &Sources) -> Self {
        let mut all = Self::default();
        all.file(sources, "lib.rs", "", None);
        if sources.contains_key("main.rs") {
            let main = all.file(sources, "main.rs", "", None);
            all.modules[main].children.insert("inet_asm".into(), 0);
        }
        all
    }

    /// `folder`: where the files of its children stand, with a stroke behind it.
    fn file(
        &mut self,
        sources: &Sources,
        file: &str,
        folder: &str,
        parent: Option<usize>,
    ) -> usize {
        self.loaded.insert(file.into());
        let source = sources
            .get(file)
            .unwrap_or_else(|| panic!("no file {file}"));
        self.module(sources, &tokens(source), file, folder, parent)
    }

    fn module(
        &mut self,
        sources: &Sources,
        t: &[Token],
        file: &str,
        folder: &str,
        parent: Option<usize>,
    ) -> usize {
        let this = self.modules.len();
        self.modules.push(Module {
            file: file.into(),
            parent,
            ..Module::default()
        });
        let text = |i: usize| t.get(i).map_or("", |t| t.text.as_str());
        let mut i = 0;
        let mut depth = 0;
        let mut public = false;
        while i < t.len() {
            match text(i) {
                "#" => {
                    let begin = i + if text(i + 1) == "!" { 2 } else { 1 };
                    let end = behind_group(t, begin);
                    assert_ne!(
                        text(begin + 1),
                        "path",
                        "{file}: #[path] is not followed here"
                    );
                    if text(i + 1) != "!" && is_test_only(&t[begin + 1..end]) {
                        let behind = behind_item(t, end);
                        if let Some(m) = (end..behind).find(|&n| text(n) == "mod")
                            && text(m + 2) == ";"
                        {
                            let name = text(m + 1);
                            self.tests.insert(format!("{folder}{name}.rs"));
                            self.tests.insert(format!("{folder}{name}/"));
                        }
                        i = behind;
                    } else {
                        i = end;
                    }
                    continue;
                }
                "pub" => {
                    public = true;
                    i += 1;
                    // `pub(in crate::…)` imports nothing.
                    if text(i) == "(" && ["crate", "super", "self", "in"].contains(&text(i + 1)) {
                        i = behind_group(t, i);
                    }
                    continue;
                }
                "use" => {
                    let mut found = Vec::new();
                    i = use_tree(t, i + 1, &[], public, &mut found);
                    self.modules[this].uses.extend(found);
                }
                "mod" if depth == 0 && text(i + 2) == ";" => {
                    let name = text(i + 1);
                    let flat = format!("{folder}{name}.rs");
                    let child = if sources.contains_key(&flat) {
                        flat
                    } else {
                        format!("{folder}{name}/mod.rs")
                    };
                    let below = format!("{folder}{name}/");
                    let child = self.file(sources, &child, &below, Some(this));
                    self.modules[this].children.insert(name.into(), child);
                    i += 2;
                }
                "mod" if depth == 0 && text(i + 2) == "{" => {
                    let end = behind_group(t, i + 2);
                    let name = text(i + 1).to_owned();
                    let below = format!("{folder}{name}/");
                    let inner = &t[i + 3..end - 1];
                    let child = self.module(sources, inner, file, &below, Some(this));
                    self.modules[this].children.insert(name, child);
                    i = end;
                }
                "macro_rules" if text(i + 1) == "!" => {
                    self.modules[this].items.insert(text(i + 2).into());
                    i += 2;
                }
                "struct" | "enum" | "trait" | "union" | "type" | "fn" | "const" | "static"
                    if depth == 0 && is_word(text(i + 1)) =>
                {
                    let name = text(i + 1).to_owned();
                    let m = &mut self.modules[this];
                    if ["struct", "enum", "trait", "type"].contains(&text(i)) {
                        m.types.insert(name.clone());
                    }
                    m.items.insert(name);
                }
                // What is defined in the brackets of a macro is defined here.
                "!" if depth == 0 && text(i + 1) == "{" && is_word(text(i.wrapping_sub(1))) => {
                    let end = behind_group(t, i + 1);
                    for n in i + 1..end {
                        if ["struct", "enum", "trait"].contains(&text(n)) && is_word(text(n + 1)) {
                            let m = &mut self.modules[this];
                            m.types.insert(text(n + 1).into());
                            m.items.insert(text(n + 1).into());
                        }
                    }
                }
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                word if is_word(word)
                    && (word == "crate" || i == 0 || !["::", "$"].contains(&text(i - 1))) =>
                {
                    i = self.path(this, t, i);
                    public = false;
                    continue;
                }
                _ => {}
            }
            public = false;
            i += 1;
        }
        this
    }

    /// Notes the path that begins at `i`; the place behind it.
    fn path(&mut self, this: usize, t: &[Token], mut i: usize) -> usize {
        let text = |i: usize| t.get(i).map_or("", |t| t.text.as_str());
        let m = &mut self.modules[this];
        let line = t[i].line;
        let mut path = vec![text(i).to_owned()];
        i += 1;
        while text(i) == "::" && is_word(text(i + 1)) {
            path.push(text(i + 1).to_owned());
            i += 2;
        }
        for word in &path {
            *m.words.entry(word.clone()).or_default() += 1;
        }
        if path.len() > 1 {
            m.paths.push(Import {
                path,
                name: None,
                glob: false,
                public: false,
                line,
            });
        }
        i
    }

    /// Follows a path from a module: to a file and the name in it, or to a module.
    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        if depth > 20 {
            return None;
        }
        let start = match first.as_str() {
            "crate" => self.root(from),
            "self" => from,
            "super" => self.modules[from].parent?,
            _ => return self.within(from, path, true, depth),
        };
        match rest.first().map(String::as_str) {
            None => Some(Target::Module(start)),
            Some("super" | "self") => self.resolve(start, rest, depth + 1),
            _ => self.within(start, rest, true, depth).or({
                // What a macro defines has no name that can be read here.
                Some(Target::Item(start, rest[0].clone()))
            }),
        }
    }

    fn root(&self, mut module: usize) -> usize {
        while let Some(parent) = self.modules[module].parent {
            module = parent;
        }
        module
    }

    /// Looks a path up among the names of a module.
    fn within(&self, module: usize, path: &[String], own: bool, depth: usize) -> Option<Target> {
        let m = &self.modules[module];
        let (first, rest) = path.split_first()?;
        let onward = |target: Target| match target {
            Target::Module(next) if !rest.is_empty() => {
                let found = self.within(next, rest, false, depth + 1);
                Some(found.unwrap_or(Target::Item(next, rest[0].clone())))
            }
            target => Some(target),
        };
        if let Some(&child) = m.children.get(first) {
            return onward(Target::Module(child));
        }
        if m.items.contains(first) {
            return Some(Target::Item(module, first.clone()));
        }
        let named = m.uses.iter().find(|u| u.name.as_ref() == Some(first));
        if let Some(named) = named
            && !(own && named.path.first() == Some(first) && named.path.len() == 1)
        {
            return self
                .resolve(module, &named.path, depth + 1)
                .and_then(onward);
        }
        m.uses.iter().filter(|u| u.glob).find_map(|u| {
            let Some(Target::Module(other)) = self.resolve(module, &u.path, depth + 1) else {
                return None;
            };
            (other != module).then(|| self.within(other, path, false, depth + 1))?
        })
    }

    /// The module only declares and re-exports.
    fn is_face(&self, module: usize) -> bool {
        let m = &self.modules[module];
        m.items.is_empty() && m.words.is_empty()
    }

    /// All arrows between files.
    fn arrows(&self) -> Vec<Arrow> {
        let mut arrows = BTreeSet::new();
        for (n, m) in self.modules.iter().enumerate() {
            for import in m.uses.iter().chain(&m.paths) {
                for (target, name) in self.targets(n, import) {
                    let to = &self.modules[target].file;
                    if *to == m.file {
                        continue;
                    }
                    let unused = import
                        .name
                        .as_ref()
                        .is_none_or(|name| !m.words.contains_key(name));
                    arrows.insert(Arrow {
                        from: m.file.clone(),
                        to: to.clone(),
                        line: import.line,
                        path: import.path.join("::"),
                        name,
                        reexport: import.public && unused,
                        face: self.is_face(target),
                    });
                }
            }
        }
        arrows.into_iter().collect()
    }

    /// The modules that an import ends in, and the names there.
    fn targets(&self, module: usize, import: &Import) -> Vec<(usize, String)> {
        match self.resolve(module, &import.path, 0) {
            Some(Target::Item(m, name)) => vec![(m, name)],
            Some(Target::Module(m)) if import.glob && self.is_face(m) => {
                let uses = self.modules[m].uses.iter();
                uses.flat_map(|u| self.targets(m, u)).collect()
            }
            Some(Target::Module(m)) => vec![(m, String::new())],
            None => Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Target {
    Module(usize),
    Item(usize, String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrow {
    from: String,
    line: usize,
    to: String,
    path: String,
    /// What is imported; empty for a whole module.
    name: String,
    /// Handed on, and not used in the file itself.
    reexport: bool,
    /// The other file only declares and re-exports.
    face: bool,
}

impl std::fmt::Display for Arrow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            from,
            line,
            to,
            path,
            ..
        } = self;
        write!(f, "src/{from}:{line}: {path} (in {to})")
    }
}

/// Reads the tree of a `use` from `i` on; the place of its `;`, or behind the branch.
fn use_tree(
    t: &[Token],
    mut i: usize,
    before: &[String],
    public: bool,
    found: &mut Vec<Import>,
) -> usize {
    let text = |i: usize| t.get(i).map_or("", |t| t.text.as_str());
    let mut path = before.to_vec();
    let line = t.get(i).map_or(0, |t| t.line);
    let import = |path: Vec<String>, name, glob| Import {
        path,
        name,
        glob,
        public,
        line,
    };
    loop {
        match text(i) {
            "::" => i += 1,
            "{" => {
                i += 1;
                while !["}", ""].contains(&text(i)) {
                    i = use_tree(t, i, &path, public, found);
                    i += usize::from(text(i) == ",");
                }
                return i + 1;
            }
            "*" => {
                found.push(import(path, None, true));
                return i + 1;
            }
            "as" => {
                found.push(import(path, Some(text(i + 1).into()), false));
                return i + 2;
            }
            word if is_word(word) => {
                if word != "self" || path.is_empty() {
                    path.push(word.into());
                }
                i += 1;
                if !["::", "as"].contains(&text(i)) {
                    let name = path.last().cloned();
                    found.push(import(path, name, false));
                    return i;
                }
            }
            _ => return i,
        }
    }
}

// --- The rules ---

fn room(file: &str) -> &str {
    file.split('/')
        .next()
        .unwrap_or(file)
        .trim_end_matches(".rs")
}

/// The imports from a room that is not to be known.
fn forbidden(arrows: &[Arrow]) -> Vec<String> {
    let bad = |a: &&Arrow| {
        let (from, to) = (room(&a.from), room(&a.to));
        // `lib.rs` names all rooms, and nothing else is defined there.
        from != "lib"
            && to != "lib"
            && from != to
            && !ROOMS
                .iter()
                .any(|(name, known)| *name == from && known.contains(&to))
    };
    arrows
        .iter()
        .filter(bad)
        .map(|a| format!("{} -> {}: {a}", room(&a.from), room(&a.to)))
        .collect()
}

/// The circles of files: the arrows within each.
fn circles(arrows: &[Arrow]) -> Vec<Vec<&Arrow>> {
    let counted: Vec<&Arrow> = arrows
        .iter()
        .filter(|a| !a.reexport && !a.face && a.from != "lib.rs" && a.to != "lib.rs")
        .collect();
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for a in &counted {
        reached.entry(&a.from).or_default().insert(&a.to);
    }
    loop {
        let mut grown = false;
        for from in reached.keys().copied().collect::<Vec<_>>() {
            let further: BTreeSet<&str> = reached[from]
                .iter()
                .filter_map(|to| reached.get(to))
                .flatten()
                .copied()
                .collect();
            let all = reached.entry(from).or_default();
            let before = all.len();
            all.extend(further);
            grown |= all.len() > before;
        }
        if !grown {
            break;
        }
    }
    let knows = |a: &str, b: &str| reached.get(a).is_some_and(|r| r.contains(b));
    let mut circles: BTreeMap<&str, Vec<&Arrow>> = BTreeMap::new();
    for a in counted.iter().filter(|a| knows(&a.to, &a.from)) {
        // A circle goes by the first of its files.
        let first = reached[a.from.as_str()].iter().find(|f| knows(f, &a.from));
        circles
            .entry(first.copied().unwrap_or(&a.from))
            .or_default()
            .push(a);
    }
    circles.into_values().collect()
}

fn describe(circles: &[Vec<&Arrow>]) -> String {
    let mut text = String::new();
    for circle in circles {
        let files: BTreeSet<&str> = circle.iter().map(|a| a.from.as_str()).collect();
        let _ = writeln!(text, "circle of {} files: {files:?}", files.len());
        // A line for each pair of files: where the first import stands, and all names.
        let mut pairs: BTreeMap<(&str, &str), (usize, BTreeSet<&str>)> = BTreeMap::new();
        for a in circle {
            let pair = pairs
                .entry((&a.from, &a.to))
                .or_insert((a.line, BTreeSet::new()));
            pair.0 = pair.0.min(a.line);
            pair.1.insert(if a.name.is_empty() {
                "(module)"
            } else {
                &a.name
            });
        }
        for ((from, to), (line, names)) in pairs {
            let names: Vec<_> = names.into_iter().collect();
            let _ = writeln!(text, "  src/{from}:{line} -> {to}: {}", names.join(" "));
        }
    }
    text
}

/// The names of types that are defined more than twice outside `base`, with their files.
fn worn_names(all: &Crate) -> Vec<String> {
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for m in all.modules.iter().filter(|m| room(&m.file) != "base") {
        for name in &m.types {
            by_name.entry(name).or_default().push(&m.file);
        }
    }
    by_name.retain(|_, files| files.len() > 2);
    by_name
        .into_iter()
        .map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect()
}

// --- The sources ---

fn sources() -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Sources::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read") {
            let path: PathBuf = entry.expect("src can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(&root).expect("below src");
                let text = fs::read_to_string(&path).expect("a source is UTF-8");
                found.insert(name.to_string_lossy().replace('\\', "/"), text);
            }
        }
    }
    found
}

#[test]
fn every_file_is_read_or_belongs_to_the_tests() {
    let sources = sources();
    let all = Crate::read(&sources);
    let lost: Vec<_> = sources
        .keys()
        .filter(|f| !all.loaded.contains(*f))
        .filter(|f| !all.tests.iter().any(|t| f.starts_with(t.as_str())))
        .collect();
    assert_eq!(lost, Vec::<&String>::new(), "no `mod` declares them");
}

#[test]
fn a_room_imports_only_from_those_to_its_left() {
    let found = forbidden(&Crate::read(&sources()).arrows());
    assert!(
        found.is_empty(),
        "{} imports:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    let arrows = Crate::read(&sources()).arrows();
    let found = circles(&arrows);
    assert!(
        found.is_empty(),
        "{} circles:\n{}",
        found.len(),
        describe(&found)
    );
}

#[test]
fn a_type_name_has_at_most_two_meanings() {
    let found = worn_names(&Crate::read(&sources()));
    assert!(
        found.is_empty(),
        "{} names:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn no_comment_cites_a_text_that_is_not_here() {
    let mut found = Vec::new();
    for (file, text) in sources() {
        for (n, line) in text.lines().enumerate() {
            let cites = line
                .match_indices("SPEC ")
                .any(|(at, s)| line[at + s.len()..].starts_with(|c: char| c.is_ascii_digit()));
            if cites {
                found.push(format!("src/{file}:{}: {}", n + 1, line.trim()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "{} lines:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn comments_say_why_where_it_is_hard() {
    let (mut lines, mut why) = (0, 0);
    for text in sources().values() {
        for line in text.lines().map(str::trim_start) {
            lines += 1;
            let doc = line.starts_with("///") || line.starts_with("//!");
            why += usize::from(line.starts_with("//") && !doc);
        }
    }
    println!("{why} of {lines} lines are comments that say why");
    assert!(
        why * 1000 >= lines * WHY_COMMENTS,
        "{why} of {lines} lines are comments that say why: less than {WHY_COMMENTS} in a thousand"
    );
}

/// The rules held against small crates.
mod on_small_crates {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Crate {
        Crate::read(
            &files
                .iter()
                .map(|(f, t)| ((*f).into(), (*t).into()))
                .collect(),
        )
    }

    /// `from:line -> to`, in order.
    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        let arrows = read(files).arrows();
        let arrows = arrows.iter().filter(|a| !a.reexport);
        arrows
            .map(|a| format!("{}:{} -> {}", a.from, a.line, a.to))
            .collect()
    }

    const LIB: (&str, &str) = ("lib.rs", "pub mod base; pub mod ip; pub mod link;");

    #[test]
    fn a_back_import_is_found() {
        let files = [
            LIB,
            ("base/mod.rs", "pub mod time;"),
            ("base/time.rs", "\nuse crate::ip::Ip;\npub struct Time;"),
            ("ip/mod.rs", "pub struct Ip;"),
            ("link.rs", "use crate::base::time::Time;"),
        ];
        assert_eq!(
            forbidden(&read(&files).arrows()),
            ["base -> ip: src/base/time.rs:2: crate::ip::Ip (in ip/mod.rs)"]
        );
    }

    #[test]
    fn a_back_import_in_code_through_a_face_is_found() {
        let files = [
            LIB,
            ("base.rs", "fn f() -> u8 {\n super::link::two() }"),
            ("link/mod.rs", "mod deep; pub use deep::two;"),
            ("link/deep.rs", "pub fn two() {}"),
            ("ip.rs", "use crate::{base, link::{self, two as second}};"),
        ];
        let found = read(&files).arrows();
        assert_eq!(
            forbidden(&found),
            ["base -> link: src/base.rs:2: super::link::two (in link/deep.rs)"]
        );
        assert!(circles(&found).is_empty());
    }

    #[test]
    fn imports_lead_to_the_file_that_defines() {
        for (text, to) in [
            ("use crate::link::Frame;", "link/frame.rs"),
            ("use crate::link::Renamed as R;", "link/frame.rs"),
            ("use crate::link::deep::*;", "link/deep.rs"),
            ("use crate::link::All;", "link/deep.rs"),
            ("use crate::link::Own;", "link/mod.rs"),
            ("use crate::link::{frame::{Frame}};", "link/frame.rs"),
            (
                "use crate::{link as l}; fn f() { l::Frame::new() }",
                "link/frame.rs",
            ),
            ("fn f(x: &crate::link::deep::All) {}", "link/deep.rs"),
            ("struct S { pub x: super::link::Frame }", "link/frame.rs"),
            (
                "macro_rules! m { () => { $crate::link::Frame } }",
                "link/frame.rs",
            ),
            ("use crate::link::frame::made_by_a_macro;", "link/frame.rs"),
        ] {
            let files = [
                LIB,
                ("base.rs", ""),
                ("ip.rs", text),
                (
                    "link/mod.rs",
                    "mod deep; mod frame; pub use deep::*; pub use frame::{Frame, Frame as Renamed}; pub struct Own;",
                ),
                ("link/deep.rs", "pub enum All {}"),
                ("link/frame.rs", "pub struct Frame;"),
            ];
            let found = arrows(&files);
            let found: Vec<_> = found.iter().filter(|a| a.starts_with("ip.rs")).collect();
            assert!(
                found.contains(&&format!("ip.rs:1 -> {to}")),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn what_is_no_import_is_not_found() {
        for text in [
            "// use crate::link::Frame;",
            "/* use crate::link::Frame; /* */ use crate::link::Frame; */",
            "/// [`crate::link::Frame`]\nstruct S;",
            "const S: &str = \"use crate::link::Frame;\";",
            "const S: &str = r#\"\" use crate::link::Frame;\"#;",
            "const S: &[u8] = b\"\\\" crate::link::Frame\";",
            "const S: [char; 2] = ['\"', '\\'']; // \" crate::link::Frame",
            "fn f<'a>(x: &'a u8) -> &'a u8 { 'l: loop { break 'l } }",
            "pub(in crate::link) struct S;",
            "#[cfg(test)] use crate::link::{Frame};",
            "#[cfg(test)] mod tests { use crate::link::Frame; }",
            "#[cfg(all(test, unix))] #[allow(x)] fn f(a: [u8; 2]) { crate::link::f() }",
            "struct S { #[cfg(test)] a: crate::link::Frame, b: u8 }",
            "fn f() { #[cfg(test)] crate::link::f(a, b); }",
            "use std::link::Frame; fn f() { Self::link(); M::link::x() }",
        ] {
            let frame = ("link.rs", "pub struct Frame;");
            let files = [LIB, ("base.rs", text), ("ip.rs", ""), frame];
            assert_eq!(arrows(&files), Vec::<String>::new(), "{text}");
        }
        let under_test = [
            ("lib.rs", "#[cfg(test)]\nmod testing;\npub mod base;"),
            ("base.rs", "pub(crate) struct A;"),
            ("testing.rs", "use crate::base::A;"),
        ];
        assert_eq!(arrows(&under_test), Vec::<String>::new());
        assert!(read(&under_test).tests.contains("testing.rs"));
    }

    #[test]
    fn what_follows_a_test_item_is_found() {
        for before in [
            "#[cfg(test)] mod tests { fn f() {} }",
            "#[cfg(test)] use crate::base::{A, B};",
            "#[cfg(test)] const A: [u8; 2] = [1, 2];",
            "#[cfg(not(test))]",
            "const Q: char = '\\''; const R: u8 = b'\"';",
        ] {
            let text = format!("{before} use crate::link::Frame;");
            let frame = ("link.rs", "pub struct Frame;");
            let files = [LIB, ("base.rs", &text), ("ip.rs", ""), frame];
            assert_eq!(arrows(&files), ["base.rs:1 -> link.rs"], "{before}");
        }
    }

    #[test]
    fn a_circle_is_found_with_its_imports() {
        let files = [
            LIB,
            ("base.rs", ""),
            ("link.rs", ""),
            ("ip/mod.rs", "mod a; mod b; mod c;\npub use c::C;"),
            ("ip/a.rs", "use super::b::B;\npub struct A;"),
            ("ip/b.rs", "use super::C;\npub struct B;"),
            ("ip/c.rs", "\npub struct C(super::a::A);"),
        ];
        let found = read(&files).arrows();
        let text = describe(&circles(&found));
        assert_eq!(
            text,
            "circle of 3 files: {\"ip/a.rs\", \"ip/b.rs\", \"ip/c.rs\"}\n  \
             src/ip/a.rs:1 -> ip/b.rs: B\n  \
             src/ip/b.rs:1 -> ip/c.rs: C\n  \
             src/ip/c.rs:2 -> ip/a.rs: A\n"
        );
    }

    #[test]
    fn parent_and_child_are_a_circle_only_if_both_use_each_other() {
        for (parent, child, circle) in [
            (
                "mod a; pub struct P; fn f() { a::g() }",
                "use super::P; pub fn g() {}",
                true,
            ),
            (
                "mod a; use a::A; pub struct P(A);",
                "struct A(super::P);",
                true,
            ),
            (
                "mod a; pub use a::A; pub struct P(A);",
                "struct A(super::P);",
                true,
            ),
            // A re-export is no use, and a table of children no circle.
            (
                "mod a; pub use a::A; pub struct P;",
                "struct A(super::P);",
                false,
            ),
            (
                "mod a; pub const T: &[u8] = &[a::X];",
                "pub const X: u8 = 1;",
                false,
            ),
        ] {
            let files = [
                LIB,
                ("base.rs", ""),
                ("link.rs", ""),
                ("ip/mod.rs", parent),
                ("ip/a.rs", child),
            ];
            let found = read(&files).arrows();
            assert_eq!(!circles(&found).is_empty(), circle, "{parent} | {child}");
        }
    }

    #[test]
    fn a_third_meaning_is_found() {
        let files = [
            LIB,
            ("base.rs", "pub struct Place;"),
            ("link.rs", "struct Place; impl X for Y { type State = u8; }"),
            (
                "ip/mod.rs",
                "mod a; trait Place {} trait T { type State; } impl X for Z { type State = u8; }",
            ),
            (
                "ip/a.rs",
                "table! { /// A row.\n pub struct Place; }\n#[cfg(test)] struct Link;",
            ),
        ];
        assert_eq!(
            worn_names(&read(&files)),
            ["Place: ip/mod.rs, ip/a.rs, link.rs"]
        );
    }
}
