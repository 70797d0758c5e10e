//! Columns that look like secrets.

/// A single word in a column's name that speaks of a secret.
const WORDS: &[&str] = &[
    "2fa",
    "accesskey",
    "accesstoken",
    "apikey",
    "apikeys",
    "authkey",
    "authtoken",
    "credential",
    "credentials",
    "cvc",
    "cvv",
    "digest",
    "encrypted",
    "encryptionkey",
    "google2fa",
    "hash",
    "hashed",
    "jwt",
    "mfa",
    "otp",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "privatekey",
    "pwd",
    "refreshtoken",
    "salt",
    "secret",
    "secretkey",
    "secrets",
    "ssn",
    "token",
    "tokens",
    "totp",
    "twofa",
];

/// A word that speaks of one where it is the last: `user_pin`, and not `pin_colour`.
const LAST: &[&str] = &["pass", "pin"];

/// Two words on end that do.
const PAIRS: &[(&str, &str)] = &[
    ("access", "key"),
    ("api", "key"),
    ("api", "keys"),
    ("auth", "key"),
    ("backup", "codes"),
    ("card", "number"),
    ("encryption", "key"),
    ("factor", "key"),
    ("hmac", "key"),
    ("license", "key"),
    ("private", "key"),
    ("recovery", "code"),
    ("recovery", "codes"),
    ("session", "key"),
    ("signing", "key"),
    ("two", "fa"),
];

/// A word that, where it is the last, says that the column tells something of a secret and does not hold it: `tokens_used`, `password_changed_at`.
const ABOUT: &[&str] = &[
    "at", "attempts", "count", "enabled", "expires", "expiry", "length", "limit", "max", "method", "min", "on",
    "required", "status", "ttl", "type", "until", "used", "version",
];

/// Types that hold no secret, whatever the column is called: moments, spans of time, and yes or no.
const HARMLESS: &[&str] = &["boolean", "date", "interval", "time", "timestamp"];

/// Whether a column's name says that it holds a secret, e.g. `password`, `encrypted_email`, `reset_token`, `apiKey`, `password_hash`; and its type, as
/// `format_type` writes it, does not say the contrary.
#[must_use]
pub fn is_sensitive(column: &str, type_name: &str) -> bool {
    let kind = type_name.split([' ', '(']).next().unwrap_or_default();
    if HARMLESS.contains(&kind) {
        return false;
    }
    let words = words(column);
    let has = |word: &str| words.iter().any(|other| other == word);
    let ends_in = |list: &[&str]| words.last().is_some_and(|last| list.contains(&last.as_str()));
    if words.len() > 1 && ends_in(ABOUT) && !has("encrypted") {
        return false;
    }
    let pair = |pair: &[String]| PAIRS.iter().any(|(first, second)| pair[0] == *first && pair[1] == *second);
    WORDS.iter().any(|word| has(word)) || ends_in(LAST) || words.windows(2).any(pair)
}

/// A name's words in lower case: parted by what is no letter, where an upper case letter follows a lower case one, and before the last of several
/// upper case letters: `JWTToken` is `jwt` and `token`.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    let mut was_upper = false;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let ends_several = c.is_uppercase() && was_upper && rest.peek().is_some_and(|next| next.is_lowercase());
        if !c.is_alphanumeric() || (was_lower && c.is_uppercase()) || ends_several {
            words.push(String::new());
        }
        was_lower = c.is_lowercase() || c.is_ascii_digit();
        was_upper = c.is_uppercase();
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
            "encrypted_status",
            "reset_token",
            "reset_password_token",
            "apiKey",
            "api_key",
            "API_KEY",
            "APIKey",
            "accessToken",
            "access_token",
            "JWTToken",
            "password_hash",
            "otp_secret",
            "otp_backup_codes",
            "client-secret",
            "refreshTokens",
            "private_key",
            "TOKEN",
            "card_number",
            "twofa_key",
            "two_fa_secret",
            "twoFactorKey",
            "google2fa_secret",
            "2fa_key",
            "mfa_secret",
            "mfa_backup",
            "totp_seed",
            "salt",
            "password_salt",
            "pin",
            "user_pin",
            "smtp_pass",
            "accesstoken",
        ] {
            assert!(is_sensitive(name, "text"), "{name}");
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "stage",
            "company_key",
            "tokenised",
            "tokens_used",
            "token_type",
            "secretary",
            "hashtag",
            "key",
            "keyword",
            "number",
            "passport_country",
            "pass_rate",
            "boarding",
            "pinned",
            "pin_colour",
            "spin",
            "shipping",
            "mfa_method",
            "password_version",
            "",
        ] {
            assert!(!is_sensitive(name, "text"), "{name}");
        }
    }

    #[test]
    fn what_a_type_cannot_hold_is_no_secret() {
        for (name, type_name) in [
            ("password_changed_at", "timestamp with time zone"),
            ("reset_password_sent", "timestamp without time zone"),
            ("has_password", "boolean"),
            ("token_day", "date"),
            ("token_life", "interval"),
        ] {
            assert!(!is_sensitive(name, type_name), "{name} {type_name}");
        }
        assert!(is_sensitive("pin", "integer") && is_sensitive("token", "timestamped"));
    }
}
