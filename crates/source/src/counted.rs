//! Numbers with their words.

/// A number with what is counted, e.g. `counted(1, "change waits", "changes wait")`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_all_else_is_many() {
        let told = [0, 1, 2].map(|count| counted(count, "change waits", "changes wait"));
        assert_eq!(told, ["0 changes wait", "1 change waits", "2 changes wait"]);
    }
}
