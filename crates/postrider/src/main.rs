//! Postrider's one binary: the command line, the settings, the wiring of the crates below, and the demo.

mod before_start;
mod cli;
mod commands;
mod contracts_directory;
mod demo;
mod draft;
mod failure;
mod files;
mod http;
mod logs;
mod operator_key;
mod output;
mod serve;
mod settings;
mod sign_in;
mod source;
mod stop;
mod store;
mod token_keys;
mod traces;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

use crate::cli::{Cli, Command};
use crate::settings::Variables;

/// Costs less CPU for each delivery than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    run(cli.command, &Variables::of_process()).unwrap_or_else(|error| failure::tell(&error))
}

fn run(command: Command, variables: &Variables) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify(args) => commands::verify::run(&args, variables),
        Command::Contracts(command) => commands::contracts::run(command, variables),
        Command::Diagnose(args) => runtime()?.block_on(commands::diagnose::run(&args, variables)),
        Command::Openapi => {
            output::line(&postrider_server::openapi_json())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Serve(args) => runtime()?.block_on(serve::run(&args, variables)),
        Command::Demo(args) => runtime()?.block_on(demo::run(&args, variables)),
        Command::Listen(args) => runtime()?.block_on(commands::listen::run(args, variables)),
        Command::Send(args) => runtime()?.block_on(commands::send::run(args, variables)),
        Command::Keys(command) => runtime()?.block_on(commands::keys::run(command, variables)),
        Command::Export(args) => runtime()?.block_on(commands::export::run(args, variables)),
        Command::Import(args) => runtime()?.block_on(commands::import::run(args, variables)),
        Command::Backup(args) => commands::backup::run_backup(&args, variables),
        Command::Restore(args) => commands::backup::run_restore(&args, variables),
        Command::Source(command) => runtime()?.block_on(commands::source::run(command, variables)),
        Command::Health(args) => runtime()?.block_on(commands::health::run(&args, variables)),
        Command::Bench(args) => runtime()?.block_on(commands::bench::run(args)),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")
}
