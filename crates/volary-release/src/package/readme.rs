//! `README.md` and `LICENSE`: for a person who has the folder and nothing else.

use std::fmt::Write as _;

use serde_json::Value;

use super::manifest::Manifest;

/// The README.
pub(crate) fn readme(m: &Manifest<'_>) -> String {
    let s = m.settings;
    let r = &s.responsible;
    let mut out = format!(
        "# {}\n\n{}\n\nVersion {}, {}. Licence: [{}]({}).\n\nCite as: {}\n\n## Files\n\n| file | rows | what |\n|---|---|---|\n",
        s.title,
        s.description,
        s.version,
        s.date,
        s.licence_name(),
        s.licence_url(),
        m.citation()
    );
    // Writing to a string cannot fail.
    let mut put = |text: std::fmt::Arguments<'_>| {
        let _ = out.write_fmt(text);
    };
    for table in &m.tables {
        for file in &table.files {
            put(format_args!("| `{}` | {} | {} |\n", file.path, table.written.n_rows, file.about));
        }
    }
    put(format_args!(
        "\nParquet and VOTable hold the text as it is. In CSV a cell that a spreadsheet would take for a formula starts with an apostrophe. `sha256sum -c SHA256SUMS` checks the files.\n"
    ));
    for table in &m.tables {
        put(format_args!("\n### {}\n\n| column | what |\n|---|---|\n", table.written.table.name()));
        for column in table.written.columns {
            put(format_args!("| `{}` | {} |\n", column.name, column.about));
        }
    }
    let cards: Vec<&str> =
        m.others.iter().map(|f| f.path.as_str()).filter(|p| p.ends_with("/card.md")).collect();
    if !cards.is_empty() {
        put(format_args!("\n## Models\n\nEach has a card: {}.\n", cards.join(", ")));
    }
    put(format_args!(
        "\n## How the data came about\n\n{}\n\n{}\n\nPlatform: {}. Volunteers: {}\n",
        r.collection, r.protocol, r.platform, r.annotators
    ));
    if !r.machines.is_empty() {
        put(format_args!("\nMachines that helped: {}.\n", r.machines.join(", ")));
    }
    put(format_args!("\n## For what, and for what not\n\n"));
    for text in &r.uses {
        put(format_args!("- For: {text}\n"));
    }
    for text in &r.limits {
        put(format_args!("- Not for: {text}\n"));
    }
    put(format_args!("\n## Known biases\n\n{}", m.biases.markdown()));
    put(format_args!("\n## The volunteers\n\n{}\n\n{}\n", m.personal(), linking(m)));
    noise(m, &mut put);
    put(format_args!("{}", attacks(&m.privacy)));
    put(format_args!("\n## Who keeps it\n\n{}\n", r.maintenance));
    if let Some(version) = &m.policy_version {
        put(format_args!("\nMade under policy {version} (`policy.json`).\n"));
    }
    out
}

fn linking(m: &Manifest<'_>) -> String {
    m.settings.privacy.line.as_ref().map_or_else(
        || "Pseudonyms are those of this version. Other versions have others; rows that are the same in both can still be found by what they say.".to_owned(),
        |line| format!("Pseudonyms are the same in all versions of the line `{line}`, on purpose."),
    )
}

fn noise(m: &Manifest<'_>, put: &mut impl FnMut(std::fmt::Arguments<'_>)) {
    let Some(noise) = &m.settings.noise else { return };
    put(format_args!(
        "\n`histograms` has noise: whether any one volunteer with an account took part changes the chance of what it says by a factor of at most e^{}, and by at most e^{} over all versions. At most {} votes of a person count in each histogram of votes; votes of people who were not logged in do not count. The other tables are exact, and this promise is not about them.\n",
        noise.epsilon, noise.lifetime_epsilon, noise.votes
    ));
}

/// What the attacks found, as the privacy report has it.
pub(crate) fn attacks(privacy: &Value) -> String {
    let Some(attacks) = privacy.get("attacks").and_then(Value::as_array) else { return String::new() };
    if attacks.is_empty() {
        return "\nNo attack was tried on this package: it was not told what strangers may know.\n"
            .to_owned();
    }
    let mut out = "\nThe team attacked this package with what strangers may know. Found are people whose pseudonym was named rightly.\n\n| attack | looked for | named | found | at most |\n|---|---|---|---|---|\n".to_owned();
    for attack in attacks {
        let cell = |name: &str| match attack.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(value) => value.to_string(),
        };
        let cells = ["attack", "n_targets", "n_claims", "n_found", "most_found"].map(cell);
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}

/// The licence's name and where its text is.
pub(crate) fn licence(m: &Manifest<'_>) -> String {
    let s = m.settings;
    format!(
        "{}\nSPDX-License-Identifier: {}\n\nThe data in this folder are licensed under the {}.\nIts text: {}\n",
        s.title,
        s.licence,
        s.licence_name(),
        s.licence_url()
    )
}
