//! The checks, so many times, on the seeds and on what comes of them by small changes.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use postrider_fuzz::{contract_files, filters, retry_after, signature_verification, templates, url_judgement};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

/// The largest input, in bytes.
const INPUT_BYTES_MAX: usize = 16 * 1024;
/// Changes of one input, at most.
const EDITS_MAX: usize = 8;

/// Pieces that need care somewhere.
#[rustfmt::skip]
const AWKWARD: &[&str] = &[
    "\"", "'", "\\", "\0", "\r\n", "\n", "\t", " ", "{", "}", "[", "]", "[?", "..", ".", "@", ":", ";", ",", "#", "?", "/", "//", "(", ")", "*", "=",
    "%00", "%2e", "$", "${", "$data", "$data?", "'''", "\"\"\"", "==", "!=", "&&", "||", "!", "null", "true", "\\u0000", "\\ud800",
    "::1", "[::ffff:127.0.0.1]", "0x7f.1", "0177.0.0.1", "127.1", "2130706433", "localhost", "xn--", "\u{202e}", "\u{ff0e}", "\u{1f980}",
    "-1", "0", "0.1", "1e999", "99999999999999999999", "Infinity",
];

/// A small change.
#[derive(Clone, Debug)]
enum Edit {
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Repeat(Index, usize, usize),
    Flip(Index, u8),
    Splice(Index, Index),
}

impl Edit {
    fn make(&self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let place = |at: &Index| if input.is_empty() { 0 } else { at.index(input.len()) };
        match self {
            Edit::Remove(at, count) => {
                let from = place(at);
                input.drain(from..(from + count).min(input.len()));
            }
            Edit::Insert(at, piece) => {
                let at = place(at);
                input.splice(at..at, piece.iter().copied());
            }
            Edit::Repeat(at, count, times) => {
                let from = place(at);
                let until = (from + count).min(input.len());
                let again = input[from..until].repeat(*times);
                input.splice(until..until, again);
            }
            Edit::Flip(at, bits) => {
                let at = place(at);
                input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bits);
            }
            Edit::Splice(at, other) => {
                let at = place(at);
                let other = &seeds[other.index(seeds.len())];
                input.truncate(at);
                input.extend_from_slice(&other[at.min(other.len())..]);
            }
        }
        input.truncate(INPUT_BYTES_MAX);
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    let piece = prop_oneof![
        4 => prop::sample::select(AWKWARD).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
        2 => any::<char>().prop_map(|char| char.to_string().into_bytes()),
    ];
    prop_oneof![
        2 => (at(), 1..16usize).prop_map(|(at, count)| Edit::Remove(at, count)),
        4 => (at(), piece).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        1 => (at(), 1..64usize, 1..40usize).prop_map(|(at, count, times)| Edit::Repeat(at, count, times)),
        1 => (at(), 1..=255u8).prop_map(|(at, bits)| Edit::Flip(at, bits)),
        1 => (at(), at()).prop_map(|(at, other)| Edit::Splice(at, other)),
    ]
}

/// An input that can be read where it fails.
#[derive(Clone)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The files of a folder.
fn files(of: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(of).unwrap_or_else(|error| panic!("{}: {error}", of.display()));
    files.map(|file| file.unwrap().path()).collect()
}

/// Runs a check on its seeds, and on so many inputs beside them.
fn holds(name: &str, cases: u32, check: fn(&[u8])) {
    let seeds: Vec<_> = files(&folder("seeds").join(name)).iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert!(!seeds.is_empty(), "{name} has no seed");
    seeds.iter().for_each(|seed| check(seed));
    let inputs = (any::<Index>(), prop::collection::vec(edit(), 0..=EDITS_MAX)).prop_map(move |(seed, edits)| {
        let mut input = seeds[seed.index(seeds.len())].clone();
        edits.iter().for_each(|edit| edit.make(&mut input, &seeds));
        Input(input)
    });
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let run = TestRunner::new(config).run(&inputs, |Input(input)| {
        check(&input);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{name}: {error}"));
}

macro_rules! bounded {
    ($($name:ident: $cases:literal),+ $(,)?) => {
        $(#[test]
        fn $name() {
            holds(stringify!($name), $cases, $name::check);
        })+

        const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

bounded! {
    contract_files: 300,
    filters: 3_000,
    retry_after: 3_000,
    signature_verification: 200,
    templates: 2_000,
    url_judgement: 3_000,
}

#[test]
fn every_target_and_every_folder_of_seeds_is_of_a_check_that_is_run_here() {
    let names = |of: &str| -> BTreeSet<String> {
        files(&folder(of)).iter().map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    let run: BTreeSet<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names("libfuzzer/fuzz_targets"), run);
    assert_eq!(names("seeds"), run);
}
