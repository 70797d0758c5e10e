//! What people do in the demo's CRM: each change is one statement, as the CRM would send it.

/// The statements of one story, in its order: a company is met, a deal with it won or lost.
const STEPS: u64 = 10;

const COMPANIES: [(&str, &str); 4] = [
    ("Harbor & Finch", "retail"),
    ("Lumen Logistics", "logistics"),
    ("Kestrel Foods", "food"),
    ("Tidewell Shipping", "shipping"),
];
const PEOPLE: [(&str, &str); 4] = [("Ana", "Moreira"), ("Grace", "Mbeki"), ("Yusuf", "Karim"), ("Mei", "Tanaka")];

/// The statement of a turn: its organisations take turns, and each of them lives its stories step by step.
pub(super) fn statement(organizations: &[String], sequence: u64) -> Option<String> {
    let count = u64::try_from(organizations.len()).ok()?;
    let turn = sequence.checked_rem(count)?;
    let organization = organizations.get(usize::try_from(turn).ok()?)?;
    let (story, step) = (sequence / count / STEPS, sequence / count % STEPS);
    let id = story * count + turn + 1;
    Some(told(id, step, organization))
}

fn told(id: u64, step: u64, organization: &str) -> String {
    let pick = usize::try_from(id % 4).unwrap_or_default();
    let ((company, industry), (first, last)) = (COMPANIES[pick], PEOPLE[pick]);
    let amount = 4_000 + id * 350 % 9_000;
    match step {
        0 => format!(
            "INSERT INTO companies (id, organization_id, name, industry) VALUES ({id}, '{organization}', '{company}', '{industry}')"
        ),
        1 => format!(
            "INSERT INTO contacts (id, organization_id, company_id, first_name, last_name, email) \
             VALUES ({id}, '{organization}', {id}, '{first}', '{last}', '{}@customer.example')",
            first.to_lowercase()
        ),
        2 => format!(
            "INSERT INTO deals (id, organization_id, company_id, name, amount) VALUES ({id}, '{organization}', {id}, '{company}: yearly licence', {amount}.00)"
        ),
        3 => {
            format!("UPDATE contacts SET phone = '+44 20 5550 {:04}', updated_at = now() WHERE id = {id}", id % 10_000)
        }
        4 => format!("UPDATE deals SET stage = 'proposal', updated_at = now() WHERE id = {id}"),
        5 => format!("INSERT INTO tasks (id, deal_id, title) VALUES ({id}, {id}, 'Send the quote')"),
        6 => format!("UPDATE deals SET amount = {}.50, updated_at = now() WHERE id = {id}", amount + 900),
        7 => format!("UPDATE tasks SET done_at = now() WHERE id = {id}"),
        8 => {
            let end = if id % 3 == 2 { "lost" } else { "won" };
            format!("UPDATE deals SET stage = '{end}', updated_at = now() WHERE id = {id}")
        }
        _ => format!("UPDATE contacts SET deleted_at = now() WHERE id = {id}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn organisations_take_turns_and_no_two_share_a_record() {
        let organizations = ["a".to_owned(), "b".to_owned()];
        let inserted: Vec<_> = (0..80)
            .filter_map(|sequence| statement(&organizations, sequence))
            .filter(|statement| statement.starts_with("INSERT INTO companies"))
            .collect();
        let distinct: BTreeSet<_> = inserted.iter().collect();
        assert_eq!((inserted.len(), distinct.len()), (8, 8), "{inserted:?}");
        assert!(inserted[0].contains("(1, 'a',") && inserted[1].contains("(2, 'b',"), "{inserted:?}");
        assert_eq!(statement(&[], 0), None);
    }

    #[test]
    fn a_record_is_there_before_it_changes() {
        let steps: Vec<_> = (0..STEPS).map(|step| told(1, step, "a")).collect();
        for table in ["contacts", "deals", "tasks"] {
            let at = |words: &str| steps.iter().position(|step| step.starts_with(&format!("{words} {table}")));
            assert!(at("INSERT INTO") < at("UPDATE"), "{table}");
        }
    }
}
