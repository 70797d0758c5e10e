//! How deep a JSON text is nested, without parsing it.

/// Whether arrays and objects stand more than `depth_max` deep inside one another. The text is known to be JSON.
pub(crate) fn is_deeper_than(json: &str, depth_max: usize) -> bool {
    let mut depth = 0usize;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'{' | b'[' => {
                depth += 1;
                if depth > depth_max {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_are_not_nesting() {
        assert!(!is_deeper_than(r#"{"a":"[[[[\"[[[","b":[1]}"#, 2));
        assert!(is_deeper_than(r#"{"a":[[1]]}"#, 2));
        assert!(!is_deeper_than("7", 0));
    }

    #[test]
    fn siblings_are_not_nesting() {
        assert!(!is_deeper_than("[[],[],[{}]]", 3));
    }
}
