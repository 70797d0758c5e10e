//! The contracts that a server knows: those built in and the operator's own, by name and by revision.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use postrider_document::{Mistake, mistake_at};

use crate::contract::Contract;
use crate::revision::Revision;

/// The built-in files as (name, text): every TOML file in the `contracts` directory of this repository.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// Every contract that can be named. What older deliveries were made under is kept by the store as text, and read again with
/// [`Contract::parse`].
#[derive(Clone, Debug)]
pub struct Contracts {
    by_name: BTreeMap<String, Arc<Contract>>,
    by_revision: HashMap<Revision, Arc<Contract>>,
    default: String,
}

impl Contracts {
    /// How many files an operator may add.
    pub const FILES_MAX: usize = 256;

    /// The built-in contracts and those in the operator's files, each given as (file name, text).
    ///
    /// Exactly one is the default: the operator's, if one of theirs says so, else the built-in one.
    ///
    /// # Errors
    /// Every mistake in every file, names that are used twice and two defaults included.
    pub fn load(files: &[(String, String)]) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let built_in: Vec<_> = BUILT_IN.iter().filter_map(|(file, text)| read(file, text, &mut mistakes)).collect();
        let own: Vec<_> = files.iter().filter_map(|(file, text)| read(file, text, &mut mistakes)).collect();
        if files.len() > Self::FILES_MAX {
            let problem = format!("there are {} contract files", files.len());
            let advice = format!("keep at most {}", Self::FILES_MAX);
            mistakes.push(Mistake::whole_file("contracts", problem, advice));
        }
        let default = default_of(&own, &mut mistakes).or_else(|| default_of(&built_in, &mut mistakes));
        let mut by_name = BTreeMap::new();
        let mut by_revision = HashMap::new();
        for (file, contract) in built_in.into_iter().chain(own) {
            by_revision.insert(contract.revision(), Arc::clone(&contract));
            if by_name.insert(contract.name().to_owned(), contract.clone()).is_some() {
                let problem = format!("{:?} names a contract that exists already", contract.name());
                mistakes.extend(mistake_at(contract.text(), file, "name", &problem, "choose another name"));
            }
        }
        match default {
            Some(default) if mistakes.is_empty() => Ok(Contracts { by_name, by_revision, default }),
            _ => Err(mistakes),
        }
    }

    /// The built-in contracts alone.
    ///
    /// # Errors
    /// Never in a build whose tests pass; every mistake in them otherwise.
    pub fn built_in() -> Result<Self, Vec<Mistake>> {
        Self::load(&[])
    }

    /// The contract of that name, as its file is now.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Contract>> {
        self.by_name.get(name)
    }

    /// The contract whose file has this content.
    #[must_use]
    pub fn by_revision(&self, revision: Revision) -> Option<&Arc<Contract>> {
        self.by_revision.get(&revision)
    }

    /// The name of the contract for organisations that name none.
    #[must_use]
    pub fn default_name(&self) -> &str {
        &self.default
    }

    /// All contracts, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Contract>> {
        self.by_name.values()
    }
}

type File<'f> = (&'f str, Arc<Contract>);

fn read<'f>(file: &'f str, text: &str, mistakes: &mut Vec<Mistake>) -> Option<File<'f>> {
    match Contract::parse(text, file) {
        Ok(contract) => Some((file, Arc::new(contract))),
        Err(found) => {
            mistakes.extend(found);
            None
        }
    }
}

fn default_of(files: &[File<'_>], mistakes: &mut Vec<Mistake>) -> Option<String> {
    let mut defaults = files.iter().filter(|(_, contract)| contract.is_default());
    let first = defaults.next()?;
    for (file, contract) in defaults {
        let problem = format!("is a second default beside {}", first.0);
        let advice = "write default = true in one file alone";
        mistakes.extend(mistake_at(contract.text(), file, "default", &problem, advice));
    }
    Some(first.1.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_contracts_have_no_mistakes() {
        let shown = |mistakes: Vec<Mistake>| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let contracts = Contracts::built_in().map_err(shown).unwrap();
        assert!(contracts.get(contracts.default_name()).is_some());
        assert_eq!(contracts.iter().count(), BUILT_IN.len());
    }

    #[test]
    fn a_name_or_default_that_two_files_share_is_shown_where_it_stands() {
        const TEXT: &str = "# é\ndefault = true\ntitle = \"A\"\nname = \"acme\"\nenvelope = '{\"data\":\"$data\"}'\n[types.a]\n\
            description = \"A\"\nresource = \"a\"\nschema = '{}'\nsample = '1'\n";
        let file = |name: &str| (name.to_owned(), TEXT.to_owned());
        let mistakes = Contracts::load(&[file("a.toml"), file("b.toml")]).unwrap_err();
        let shown: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 2, "{shown:#?}");
        assert!(shown[0].starts_with("b.toml:2:11: default: is a second default beside a.toml; "), "{}", shown[0]);
        assert!(
            shown[1].starts_with("b.toml:4:8: name: \"acme\" names a contract that exists already; "),
            "{}",
            shown[1]
        );
    }
}
