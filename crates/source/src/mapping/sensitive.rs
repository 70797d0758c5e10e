//! Columns that look like secrets.

/// A single word in a column's name that speaks of a secret.
const WORDS: &[&str] = &[
    "apikey",
    "credential",
    "credentials",
    "cvc",
    "cvv",
    "digest",
    "encrypted",
    "hash",
    "hashed",
    "otp",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "privatekey",
    "pwd",
    "salt",
    "secret",
    "secrets",
    "ssn",
    "token",
    "tokens",
    "totp",
];

/// Two words on end that do.
const PAIRS: &[(&str, &str)] = &[
    ("access", "key"),
    ("api", "key"),
    ("api", "keys"),
    ("backup", "codes"),
    ("card", "number"),
    ("encryption", "key"),
    ("private", "key"),
    ("recovery", "code"),
    ("recovery", "codes"),
    ("session", "key"),
    ("signing", "key"),
];

/// Whether a column's name says that it holds a secret, e.g. `password`, `encrypted_email`, `reset_token`, `apiKey`, `password_hash`.
#[must_use]
pub fn is_sensitive(column: &str) -> bool {
    let words = words(column);
    let pair = |pair: &[String]| PAIRS.iter().any(|(first, second)| pair[0] == *first && pair[1] == *second);
    words.iter().any(|word| WORDS.contains(&word.as_str())) || words.windows(2).any(pair)
}

/// A name's words in lower case: parted by what is no letter, and where an upper case letter follows a lower case one.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (was_lower && c.is_uppercase()) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase() || c.is_ascii_digit();
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_speak_of_secrets_are_seen_in_every_spelling() {
        for name in [
            "password",
            "passwd",
            "encrypted_password",
            "encrypted_email",
            "reset_token",
            "apiKey",
            "api_key",
            "API_KEY",
            "accessToken",
            "password_hash",
            "otp_secret",
            "client-secret",
            "refreshTokens",
            "private_key",
            "TOKEN",
            "card_number",
        ] {
            assert!(is_sensitive(name), "{name}");
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "stage",
            "company_key",
            "tokenised",
            "secretary",
            "hashtag",
            "key",
            "keyword",
            "number",
            "passport_country",
            "",
        ] {
            assert!(!is_sensitive(name), "{name}");
        }
    }
}
