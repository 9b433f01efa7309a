//! Paths as they are told apart.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Links that are followed where the last of them leads nowhere yet, as the system follows them (`MAXSYMLINKS`).
const LINKS: usize = 40;

/// The path of something that may not be there yet, without links and dots.
pub(super) fn resolved(path: &Path) -> PathBuf {
    let mut path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for _ in 0..LINKS {
        if let Ok(there) = path.canonicalize() {
            return there;
        }
        // A link that leads nowhere yet.
        let Ok(to) = fs::read_link(&path) else {
            break;
        };
        path = path.parent().unwrap_or(Path::new("/")).join(to);
    }
    let Some(parent) = path.parent() else {
        return path;
    };
    match path.components().next_back() {
        Some(Component::Normal(name)) => resolved(parent).join(name),
        Some(Component::ParentDir) => {
            let mut parent = resolved(parent);
            parent.pop();
            parent
        }
        _ => path,
    }
}
