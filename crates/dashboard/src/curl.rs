//! A request as a command: `curl`, quoted so that a POSIX shell takes it verbatim, whatever is in it.

use crate::visible::is_unseen;

/// What masked values look like in the API's answers.
const MASK: &str = "********";
/// The most bytes that one argument of a program has on Linux is 128 KiB (`MAX_ARG_STRLEN`); what is longer goes through a pipe.
const ARGUMENT_BYTES_MAX: usize = 100_000;
/// What curl adds by itself; a request that did not have it must not get it.
const ADDED_BY_CURL: [&str; 3] = ["accept", "content-type", "user-agent"];

/// A command, and what has to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) text: String,
    /// The headers whose values are secrets and not known here.
    pub(crate) to_fill_in: Vec<String>,
}

/// The command that sends this request once more. The headers' names and values are as they were sent; masked values become a text that says so.
pub(crate) fn command<'a>(
    method: &str,
    url: &str,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    body: &str,
) -> Command {
    // The URL is sent as it stands: curl would tidy up its path, and read brackets in it as ranges.
    let mut words = vec![format!("curl --http1.1 --path-as-is --globoff --request {method} {}", quoted(url))];
    let (mut to_fill_in, mut sent) = (Vec::new(), Vec::new());
    for (name, value) in headers {
        sent.push(name.to_ascii_lowercase());
        if name.eq_ignore_ascii_case("content-length") {
            continue;
        }
        words.push(format!("--header {}", quoted(&header(name, value))));
        if value == MASK {
            to_fill_in.push(name.to_owned());
        }
    }
    let missing = ADDED_BY_CURL.into_iter().filter(|name| !sent.iter().any(|known| known == name));
    words.extend(missing.map(|name| format!("--header '{name}:'")));
    let is_piped = body.len() > ARGUMENT_BYTES_MAX || body.chars().any(needs_escape);
    let before = if is_piped { format!("printf '%b' {} |\n", escaped(body)) } else { String::new() };
    words.push(if is_piped { "--data-binary @-".to_owned() } else { format!("--data-raw {}", quoted(body)) });
    Command { text: format!("{before}{}", words.join(" \\\n  ")), to_fill_in }
}

fn header(name: &str, value: &str) -> String {
    match value {
        MASK => format!("{name}: FILL-IN-{}", name.to_ascii_uppercase()),
        // With a colon curl would leave the header out.
        "" => format!("{name};"),
        _ => format!("{name}: {value}"),
    }
}

/// A line break is harmless within quotation marks; other control characters act on terminals, and unseen ones are lost when they are copied.
fn needs_escape(character: char) -> bool {
    character != '\n' && is_unseen(character)
}

/// One word of a shell's command line.
fn quoted(text: &str) -> String {
    if text.chars().any(needs_escape) {
        return format!("\"$(printf '%b' {})\"", escaped(text));
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What `printf '%b'` makes the text of (POSIX, printf): `\0` and three octal digits for each byte that is not to stand there itself.
fn escaped(text: &str) -> String {
    let mut word = String::with_capacity(text.len() + 2);
    let mut buffer = [0; 4];
    word.push('\'');
    for character in text.chars() {
        match character {
            '\'' => word.push_str(r"'\''"),
            '\\' => word.push_str(r"\\"),
            _ if needs_escape(character) => {
                let bytes = character.encode_utf8(&mut buffer).as_bytes();
                word.extend(bytes.iter().map(|byte| format!("\\0{byte:03o}")));
            }
            _ => word.push(character),
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command as Process, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// What a shell hands to a program: its arguments, and what comes through a pipe.
    fn taken_by(shell: &str, command: &str) -> (Vec<String>, String) {
        let mut process =
            Process::new(shell).arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
        // What comes through the pipe stands first; a program without one would read the script itself.
        let script = format!(
            "curl() {{ for word in \"$@\"; do printf '%s\\0' \"$word\"; done; case \" $* \" in *' @- '*) cat;; esac; }}\n{command}\n"
        );
        process.stdin.take().expect("its input").write_all(script.as_bytes()).expect("written");
        let output = process.wait_with_output().expect("its end");
        assert!(output.status.success(), "{shell}: {command}");
        let text = String::from_utf8(output.stdout).expect("text");
        let mut words: Vec<String> = Vec::new();
        let mut rest = text.as_str();
        while let Some((word, after)) = rest.split_once('\0') {
            words.push(word.to_owned());
            rest = after;
            if word == "@-" {
                break;
            }
        }
        (words, rest.to_owned())
    }

    fn body_taken(shell: &str, body: &str) -> String {
        let made = command("POST", "https://example.com/in", [("Content-Type", "application/json")], body);
        let (words, piped) = taken_by(shell, &made.text);
        let at = words.iter().position(|word| word.starts_with("--data")).expect("a body");
        if words[at + 1] == "@-" && words[at] == "--data-binary" { piped } else { words[at + 1].clone() }
    }

    #[test]
    fn a_shell_takes_hostile_bodies_verbatim() {
        let long = "x\\'".repeat(70_000);
        let bodies = [
            "",
            r#"{"name":"O'Brien"}"#,
            "'; touch /tmp/owned; '",
            "$(touch /tmp/owned) `touch /tmp/owned` $HOME ${IFS} !! \\",
            "@/etc/passwd",
            "%s %n %d \\n \\0101 \\c stays",
            "two\nlines\n\n",
            "\0nul\u{1b}[201~\r\n\u{7f}",
            "\u{202e}\u{200b}\u{feff}'\\",
            "EOF\n'\"'\"'",
            "-d --data",
            &long,
        ];
        for shell in ["sh", "bash"] {
            for body in bodies {
                let taken = body_taken(shell, body);
                assert!(taken == body, "{shell}: {:?}", body.chars().take(80).collect::<String>());
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_takes_any_body_and_header_verbatim(body in any::<String>(), value in "[^\0\n]{1,40}") {
            prop_assert_eq!(body_taken("sh", &body), body);
            let made = command("POST", "https://example.com/in?a=1&b='2'", [("X-Any", value.as_str())], "{}");
            let (words, _) = taken_by("sh", &made.text);
            let expected = format!("X-Any: {value}");
            prop_assert!(words.contains(&"https://example.com/in?a=1&b='2'".to_owned()) && words.contains(&expected), "{:?}", words);
        }
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let made = command("POST", "https://example.com", [("X-A", "b\u{202e}")], "\u{1b}[2J\u{9b}\0");
        assert!(!made.text.chars().any(needs_escape), "{}", made.text);
    }

    #[test]
    fn masked_values_are_to_be_filled_in_and_nothing_is_added() {
        let headers =
            [("Content-Length", "2"), ("Content-Type", "application/json"), ("Authorization", MASK), ("X-Empty", "")];
        let made = command("POST", "https://example.com/[a]", headers, "{}");
        assert_eq!(made.to_fill_in, ["Authorization"]);
        assert!(!made.text.contains(MASK), "{}", made.text);
        let (words, _) = taken_by("sh", &made.text);
        let after = |flag: &str| -> Vec<&str> {
            words.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1].as_str()).collect()
        };
        let expected = [
            "Content-Type: application/json",
            "Authorization: FILL-IN-AUTHORIZATION",
            "X-Empty;",
            "accept:",
            "user-agent:",
        ];
        assert_eq!(after("--header"), expected);
        assert_eq!(after("--request"), ["POST"]);
    }
}
