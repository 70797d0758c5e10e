//! The operator's directory of contracts, read into the registry beside the built-in ones.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use postrider_contract::{Contract, Contracts};

/// Why contracts cannot be loaded.
#[derive(Debug)]
pub(crate) struct Unsound {
    /// Each thing that is wrong, as one line.
    pub(crate) mistakes: Vec<String>,
    /// The names that exactly one contract has, and that one without mistakes.
    pub(crate) sound: BTreeSet<String>,
}

/// Every contract, the built-in ones and those in the directory.
pub(crate) fn load(directory: Option<&Path>) -> Result<Contracts, Unsound> {
    let mut mistakes = Vec::new();
    let mut files = Vec::new();
    match directory.map_or_else(|| Ok(Vec::new()), toml_files) {
        Ok(paths) => {
            for path in paths {
                match read(&path) {
                    Ok(text) => files.push((path.display().to_string(), text)),
                    Err(wrong) => mistakes.push(wrong),
                }
            }
        }
        Err(wrong) => mistakes.push(wrong),
    }
    match Contracts::load(&files) {
        Ok(contracts) if mistakes.is_empty() => return Ok(contracts),
        Ok(_) => {}
        Err(found) => mistakes.extend(found.iter().map(ToString::to_string)),
    }
    Err(Unsound { mistakes, sound: sound(&files) })
}

/// The names that one contract without mistakes has, and no other.
fn sound(files: &[(String, String)]) -> BTreeSet<String> {
    let built_in = Contracts::built_in();
    let built_in = built_in.iter().flat_map(Contracts::iter).map(|contract| contract.name().to_owned());
    let own = files.iter().filter_map(|(file, text)| Some(Contract::parse(text, file).ok()?.name().to_owned()));
    let mut counts = BTreeMap::<String, usize>::new();
    for name in built_in.chain(own) {
        *counts.entry(name).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count == 1).map(|(name, _)| name).collect()
}

/// The `*.toml` files in a directory, by name. Hidden ones are left out: editors keep theirs so.
fn toml_files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let wrong =
        |error: std::io::Error| format!("the contracts directory {} cannot be read: {error}", directory.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.extension().is_some_and(|extension| extension == "toml") && !is_hidden {
            paths.push(path);
        }
        if paths.len() > Contracts::FILES_MAX {
            let max = Contracts::FILES_MAX;
            return Err(format!(
                "the contracts directory {} has more than {max} files; keep at most {max}",
                directory.display()
            ));
        }
    }
    paths.sort();
    Ok(paths)
}

/// The text of a contract file; a little more than the longest allowed, so that the parser says that it is too long.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let bound = Contract::FILE_BYTES_MAX as u64 + 1;
    let read = std::fs::File::open(path).and_then(|file| file.take(bound).read_to_end(&mut bytes));
    read.map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
    String::from_utf8(bytes).or_else(|error| {
        let is_cut = error.as_bytes().len() as u64 == bound;
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        if is_cut { Ok(text) } else { Err(format!("{}: is not UTF-8; save it as UTF-8", path.display())) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_visible_toml_files_are_contracts() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", ".a.toml", "a.toml~", "README.md"] {
            std::fs::write(directory.path().join(name), "x").unwrap();
        }
        let names: Vec<_> = toml_files(directory.path()).unwrap();
        assert_eq!(names, [directory.path().join("a.toml"), directory.path().join("b.toml")]);
    }

    #[test]
    fn all_broken_files_are_told_at_once_with_line_and_key() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.toml"), "format = 1\nname = 5").unwrap();
        std::fs::write(directory.path().join("b.toml"), b"\xff").unwrap();
        let mistakes = load(Some(directory.path())).unwrap_err().mistakes.join("\n");
        assert!(mistakes.contains("a.toml:2:8: name:"), "{mistakes}");
        assert!(mistakes.contains("b.toml: is not UTF-8"), "{mistakes}");
    }

    #[test]
    fn a_name_that_two_files_claim_is_nobodys() {
        let built_in = Contracts::built_in().unwrap();
        let text = built_in.get(built_in.default_name()).unwrap().text();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("copy.toml"), text.as_bytes()).unwrap();
        let sound = load(Some(directory.path())).unwrap_err().sound;
        assert_eq!(sound.len(), built_in.iter().count() - 1);
        assert!(!sound.contains(built_in.default_name()));
    }

    #[test]
    fn a_missing_directory_is_told() {
        assert!(load(Some(Path::new("/nowhere"))).unwrap_err().mistakes[0].contains("/nowhere cannot be read"));
    }
}
