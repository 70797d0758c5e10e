//! `diagnose`: what keeps deliveries from arriving at a URL, looked at from this machine, and what to do.

use std::process::ExitCode;

use postrider_contract::{Contract, SecretRules};
use postrider_domain::{Advice, Finding, Param, Secret, Subscription};
use postrider_engine::{Check, Clock, Diagnosis, SystemClock, UrlDiagnosis};
use ring::rand::{SecureRandom, SystemRandom};

use crate::cli::DiagnoseArgs;
use crate::commands::contracts;
use crate::failure::{FAILED, Misuse, all};
use crate::files::Files;
use crate::settings::{Purpose, SettingFlags, Sources, Variables};
use crate::{output, serve};

/// Whose test event it says it is.
const ORGANIZATION: &str = "diagnosis";

pub(crate) async fn run(args: &DiagnoseArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let sources = Sources { config: args.config.as_deref(), variables, flags: &SettingFlags::default() };
    let reading = sources.read(Purpose::Keys);
    let settings = reading.settings.map_err(|mistakes| all(&mistakes))?;
    let files = Files::load(&reading.paths).map_err(|unsound| all(&unsound.mistakes))?;
    let contracts = contracts::load(&args.own, variables)?;
    let contract = contracts::find(&contracts, args.contract.as_deref().unwrap_or(contracts.default_name()))?;
    let secret = secret(args, contract)?;
    // The server's own address is not known here, and is refused where it is.
    let (client, _) = serve::client(&settings.egress, files.ca_pems, None)?;
    let diagnosis = UrlDiagnosis {
        url: &args.url,
        contract,
        secret: secret.as_ref(),
        event_type: event_type(args, contract)?,
        organization: ORGANIZATION.parse()?,
    };
    let diagnosis = diagnosis.run(&client, SystemClock.now()).await;
    output::line(&if args.json { json(&diagnosis) } else { text(&diagnosis) })?;
    Ok(if diagnosis.is_healthy() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn secret(args: &DiagnoseArgs, contract: &Contract) -> anyhow::Result<Option<Secret>> {
    if let Some(text) = &args.secret {
        contract.check_secret(text).map_err(|error| Misuse::of(format!("--secret cannot be used: {error}")))?;
        return Ok(Some(Secret::new(text.clone())));
    }
    if !contract.secret().required {
        return Ok(None);
    }
    let mut random = [0; SecretRules::RANDOM_BYTES];
    SystemRandom::new().fill(&mut random).map_err(|_| anyhow::anyhow!("the system gave no random bytes"))?;
    Ok(Some(contract.generate_secret(&random)))
}

fn event_type<'a>(args: &'a DiagnoseArgs, contract: &'a Contract) -> anyhow::Result<&'a str> {
    match &args.event_type {
        Some(name) => contract.resolve_type(name).ok_or_else(|| {
            Misuse::of(format!(
                "the contract {:?} has no event type {name:?}; `contracts show` lists them",
                contract.name()
            ))
        }),
        None => contract
            .first_type(&[Subscription::All])
            .ok_or_else(|| Misuse::of("the contract has no event types; name one with --type")),
    }
}

fn json(diagnosis: &Diagnosis) -> String {
    let check = |check: &Check| {
        let found =
            |found: &Finding| serde_json::json!({"text": found.text, "code": found.code, "params": params(found)});
        serde_json::json!({
            "name": check.name, "outcome": check.outcome.as_str(), "found": check.found.text,
            "found_code": check.found.code, "found_params": params(&check.found),
            "details": check.details.iter().map(found).collect::<Vec<_>>(),
            "advice": check.advice.map(Advice::text), "advice_code": check.advice.map(Advice::code),
        })
    };
    let checks: Vec<_> = diagnosis.checks.iter().map(check).collect();
    serde_json::json!({"healthy": diagnosis.is_healthy(), "checks": checks}).to_string()
}

fn params(found: &Finding) -> serde_json::Value {
    let value = |param: &Param| match param {
        Param::Number(number) => serde_json::json!(number),
        Param::Text(text) => serde_json::json!(text),
    };
    found.params.iter().map(|(name, param)| ((*name).to_owned(), value(param))).collect()
}

fn text(diagnosis: &Diagnosis) -> String {
    let mut lines = Vec::new();
    for check in &diagnosis.checks {
        lines.push(format!("{:<8} {:<14} {}", check.outcome.as_str(), check.name, check.found.text));
        lines.extend(check.details.iter().map(|detail| format!("{:24}- {}", "", detail.text)));
        lines.extend(check.advice.iter().map(|advice| format!("{:24}what to do: {}", "", advice.text())));
    }
    let verdict =
        if diagnosis.is_healthy() { "nothing keeps deliveries from arriving" } else { "deliveries would fail" };
    lines.push(verdict.to_owned());
    lines.join("\n")
}
