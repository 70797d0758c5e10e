//! Accessibility, as axe-core judges it.

use serde_json::Value;

use super::Browser;
use crate::program::test_needs;

/// The rules of WCAG 2.2, levels A and AA, as axe-core tags them.
const TAGS: &str = r#"["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]"#;

/// A rule that a screen breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// axe-core's name of the rule, e.g. `color-contrast`.
    pub rule: String,
    /// What breaks it, and how.
    pub where_: Vec<String>,
}

impl Browser {
    /// What of WCAG 2.2 A and AA the page or frame breaks, as far as a program can tell.
    ///
    /// # Panics
    /// When axe-core is not there, or does not run.
    pub async fn violations(&self) -> Vec<Violation> {
        if self.run("return !window.axe", &[]).await == true {
            let file = test_needs().join("node/node_modules/axe-core/axe.min.js");
            let source = std::fs::read_to_string(&file)
                .unwrap_or_else(|e| panic!("{}: {e}; `./dev test` installs it", file.display()));
            self.run(&source, &[]).await;
        }
        let script = format!(
            "const done = arguments[arguments.length - 1];
            axe.run(document, {{runOnly: {{type: 'tag', values: {TAGS}}}, iframes: false}})
                .then((found) => done({{passes: found.passes.length, violations: found.violations}}), (error) => done(String(error)));"
        );
        let told = self.run_until_called(&script, &[]).await;
        assert!(told["passes"].as_u64().is_some_and(|passes| passes > 0), "axe-core looked at nothing: {told}");
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of_rule = |violation: &Value| Violation {
            rule: text(&violation["id"]),
            where_: list(&violation["nodes"])
                .iter()
                .map(|node| format!("{}: {}", text(&node["html"]), text(&node["failureSummary"])))
                .collect(),
        };
        list(&told["violations"]).iter().map(of_rule).collect()
    }
}
