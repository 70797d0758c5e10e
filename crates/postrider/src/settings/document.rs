//! What the table says, as files: `postrider.example.toml` and `docs/settings.md`. A test keeps them fresh.
#![cfg(test)]

use std::fmt::Write as _;

use super::table::{OTHER_VARIABLES, SECTIONS, Setting, Shape};

/// The widest line of the sample file's comments, in characters.
const WIDTH: usize = 110;

/// A settings file in which everything stands and nothing is set.
pub(super) fn example_file() -> String {
    let mut text = String::from(
        "# Every setting of `postrider serve`, with examples. Copy this file to postrider.toml and uncomment what you need.\n\
         # A variable (POSTRIDER_ and the name in capitals) goes before this file, a flag before both.\n\
         # Paths are relative to the directory that the server is started in.\n",
    );
    for section in SECTIONS {
        let _ = write!(text, "\n# --- {} ---\n", section.title);
        for setting in section.settings {
            text.push('\n');
            for line in wrap(&setting.about.replace('`', ""), WIDTH) {
                let _ = writeln!(text, "# {line}");
            }
            if let Some(default) = default_text(setting) {
                let _ = writeln!(text, "# Default: {default}");
            }
            let _ = writeln!(text, "#{} = {}", setting.name, setting.example);
        }
    }
    text
}

/// The reference for people.
pub(super) fn reference() -> String {
    let mut text = String::from(
        "# Settings\n\n\
         `postrider serve` takes its settings from `postrider.toml` in the current directory (or `--config FILE`), then from variables, then from flags;\n\
         the later wins. All mistakes in them and in the files that they name are told at once, each with its setting, its place, what is wrong\n\
         and what to do; a setting that does not exist is a mistake.\n\n\
         `postrider serve --check` tells them and exits. It also says when the data directory cannot be made or written, and when the encryption key\n\
         cannot be read. It makes and changes nothing, and may run beside the server. So it opens and reaches no database: that Postgres does not\n\
         answer, that another process has the data directory, that other users may open it, that the operator key or the encryption key is not the\n\
         one that the data was made with, that a contract in use is gone, and that the address is taken are told at the start.\n\n\
         - In the file a setting has its name: `listen = \"0.0.0.0:8400\"`. [postrider.example.toml](../postrider.example.toml) holds them all.\n\
         - As a variable it has `POSTRIDER_` before its name in capitals; the items of a list are separated by commas; an empty variable counts as not set.\n\
         - As a flag it has dashes. Secrets have no flag, since other users of a machine can read the arguments of a process. `--database-url` is for URLs without a password.\n\
         - Paths are relative to the directory that the server is started in.\n\n\
         This page is generated from the table in `crates/postrider/src/settings/table.rs`; a test compares them.\n",
    );
    for section in SECTIONS {
        let _ = write!(text, "\n## {}\n", section.title);
        for setting in section.settings {
            let _ = write!(text, "\n### `{}`\n\n{}\n\n", setting.name, setting.about);
            let flag = if setting.flag { format!("`--{}`", setting.flag_name()) } else { "none".to_owned() };
            let default = default_text(setting).map_or_else(|| "none".to_owned(), |default| format!("`{default}`"));
            let _ = writeln!(text, "- default: {default}");
            let _ = writeln!(text, "- file: `{} = {}`", setting.name, setting.example);
            let _ = writeln!(text, "- variable: `{}`", setting.variable());
            let _ = writeln!(text, "- flag: {flag}");
            if let Some(loosens) = setting.loosens {
                let _ = writeln!(text, "- loosens a protection, and is logged as a warning at every start: {loosens}");
            }
        }
    }
    text.push_str("\n## Variables that are no settings\n\n");
    for (name, about) in OTHER_VARIABLES {
        let _ = writeln!(text, "- `{name}`: {about}");
    }
    text
}

fn default_text(setting: &Setting) -> Option<String> {
    let default = setting.default?;
    Some(match setting.shape {
        Shape::List | Shape::Secrets if default.is_empty() => "[]".to_owned(),
        Shape::Text | Shape::Secret | Shape::List | Shape::Secrets => format!("\"{default}\""),
        Shape::Number | Shape::Truth => default.to_owned(),
    })
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if lines[last].chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}
