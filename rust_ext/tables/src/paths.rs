//! Paths inside a table, brought from one folder to another.
use std::path::{Component, Path, PathBuf};

/// Where paths of a table start from, and where those of a new table are to start from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relocation {
    /// Absolute folder that relative paths start from.
    pub from: PathBuf,
    /// Absolute folder of the new table; None makes paths absolute.
    pub to: Option<PathBuf>,
}

impl Relocation {
    /// A path as the new table has it, with `/` between its parts.
    pub(crate) fn apply(&self, text: &str) -> String {
        let text = text.replace('\\', "/");
        let stays = self.to.as_ref() == Some(&self.from);
        if stays && !text.starts_with('/') && !text.contains("./") && !text.contains("//") {
            return text;
        }
        let absolute = plain(&self.from.join(text));
        let found = match &self.to {
            Some(folder) => relative(&absolute, &plain(folder)),
            None => absolute,
        };
        found.to_string_lossy().into_owned()
    }
}

/// The path without `.` and `..`, by its words alone.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if out.parent().is_some() => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The way from a folder to a path, both absolute.
fn relative(path: &Path, folder: &Path) -> PathBuf {
    let shared = path
        .components()
        .zip(folder.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = folder
        .components()
        .skip(shared)
        .map(|_| Component::ParentDir);
    up.chain(path.components().skip(shared)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(from: &str, to: Option<&str>, text: &str) -> String {
        let relocation = Relocation {
            from: from.into(),
            to: to.map(PathBuf::from),
        };
        relocation.apply(text)
    }

    #[test]
    fn paths_follow_their_table() {
        assert_eq!(moved("/a/b", Some("/a/b"), "c/d.jpg"), "c/d.jpg");
        assert_eq!(moved("/a/b", Some("/a/b"), "c\\d.jpg"), "c/d.jpg");
        assert_eq!(moved("/a/b", Some("/a/b"), "../c/./d.jpg"), "../c/d.jpg");
        assert_eq!(moved("/a/b", Some("/a"), "c/d.jpg"), "b/c/d.jpg");
        assert_eq!(moved("/a/b", Some("/x/y"), "d.jpg"), "../../a/b/d.jpg");
        assert_eq!(moved("/a/b", Some("/a/b/c"), "d.jpg"), "../d.jpg");
        assert_eq!(moved("/a/b", Some("/a/b"), "/a/b/d.jpg"), "d.jpg");
        assert_eq!(moved("/a/b", None, "d.jpg"), "/a/b/d.jpg");
        assert_eq!(moved("/a/b", None, "/x/d.jpg"), "/x/d.jpg");
    }
}
