//! The house: a crate uses the floors below its own, never its own or one above.

use std::path::Path;

/// Each crate with its floor (ARCHITECTURE.md, The house).
const FLOORS: [(&str, u8); 16] = [
    ("document", 1),
    ("domain", 1),
    ("texts", 1),
    ("database", 1),
    ("scratch", 1),
    ("contract", 2),
    ("egress", 2),
    ("mail", 2),
    ("store", 2),
    ("traces", 2),
    ("engine", 3),
    ("dashboard", 4),
    ("server", 4),
    ("source", 4),
    ("postrider", 5),
    ("bench", 4),
];

/// Crates that nothing may use but tests.
const FOR_TESTS: [&str; 1] = ["scratch"];

fn floor_of(name: &str) -> u8 {
    let floor = FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor);
    floor.unwrap_or_else(|| panic!("crate {name} stands on no floor: add it here and to ARCHITECTURE.md"))
}

/// The house's own crates that a manifest's `[dependencies]` name.
fn uses(manifest: &str) -> Vec<&str> {
    let (_, rest) = manifest.split_once("\n[dependencies]\n").unwrap_or_default();
    let section = rest.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| line.strip_prefix("postrider-")?.split(['.', ' ', '=']).next());
    names.collect()
}

#[test]
fn no_crate_uses_its_own_floor_or_one_above() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders: Vec<_> =
        std::fs::read_dir(root.join("crates")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.push(root.join("bench"));
    let mut seen = 0;
    for folder in folders.iter().filter(|folder| folder.join("Cargo.toml").is_file()) {
        let name = folder.file_name().unwrap().to_string_lossy();
        let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        for used in uses(&manifest) {
            seen += 1;
            assert!(
                !FOR_TESTS.contains(&used),
                "{name} uses {used}, which is for tests alone: name it in [dev-dependencies]"
            );
            assert!(
                floor_of(used) < floor_of(&name),
                "{name} (floor {}) uses {used} (floor {})",
                floor_of(&name),
                floor_of(used)
            );
        }
    }
    assert!(seen > 10, "the manifests have another form than this test reads: it saw {seen} uses");
}
