use clap::CommandFactory;

use super::Cli;

/// Every help text, one after another, 100 characters wide.
fn every_help() -> String {
    let mut texts = Vec::new();
    collect(&mut Cli::command().term_width(100), &mut texts);
    texts.join("\n")
}

fn collect(command: &mut clap::Command, texts: &mut Vec<String>) {
    command.build();
    let path = command.get_bin_name().unwrap_or("postrider").to_owned();
    texts.push(format!("$ {path} --help\n{}", command.render_help()));
    for part in command.get_subcommands_mut() {
        collect(part, texts);
    }
}

#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn help_says_what_it_said() {
    insta::assert_snapshot!(every_help());
}

#[test]
fn every_command_shows_an_example_that_begins_with_its_name() {
    for command in Cli::command().get_subcommands() {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(after.contains(&format!("postrider {}", command.get_name())), "{}", command.get_name());
    }
}

#[test]
fn secrets_of_the_server_have_no_flag() {
    let help = every_help();
    for secret in ["--operator-key", "--encryption-key ", "--egress-proxy"] {
        assert!(!help.contains(secret), "{secret}");
    }
}
