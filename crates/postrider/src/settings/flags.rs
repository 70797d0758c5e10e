//! The flags of `serve`, made from the table, so that no setting is without one by oversight.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use super::table::{self, SECTIONS, Section, Setting, Shape};

/// The flags that were given, by setting, as texts.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingFlags(Vec<(&'static str, String)>);

impl SettingFlags {
    /// A program's own flags, in place of a person's.
    pub(crate) fn of(given: &[(&'static str, &str)]) -> Self {
        SettingFlags(given.iter().map(|(name, text)| (*name, (*text).to_owned())).collect())
    }

    pub(crate) fn given(&self) -> &[(&'static str, String)] {
        &self.0
    }
}

fn with_flag() -> impl Iterator<Item = &'static Setting> {
    table::all().filter(|setting| setting.flag)
}

fn arg(section: &'static str, setting: &'static Setting) -> Arg {
    let arg = Arg::new(setting.name).long(setting.flag_name()).help(help(setting));
    match setting.shape {
        // `--allow-http` and `--allow-http=false`, so that a flag can take back what a file says.
        Shape::Truth => arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("true|false"),
        _ => arg.value_name(setting.value),
    }
    .action(ArgAction::Set)
    .help_heading(section)
}

/// The first sentence, which is enough here; docs/settings.md has the rest.
fn help(setting: &Setting) -> String {
    let first = setting.about.split_once(". ").map_or(setting.about, |(first, _)| first);
    let first = first.trim_end_matches('.').replace('`', "");
    match setting.default {
        Some(default) if !default.is_empty() && setting.shape != Shape::Truth => {
            format!("{first} [default: {default}]")
        }
        _ => first,
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let of_section = |section: &'static Section| {
            section.settings.iter().filter(|setting| setting.flag).map(|setting| arg(section.title, setting))
        };
        command.args(SECTIONS.iter().flat_map(of_section))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = |setting: &'static Setting| Some((setting.name, matches.get_one::<String>(setting.name)?.clone()));
        Ok(SettingFlags(with_flag().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
