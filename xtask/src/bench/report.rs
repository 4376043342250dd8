//! `docs/performance.md`: medians, ratios and what saturates, told as they came out.

use super::Bench;
use super::cases::{Bar, Line, Sample, Side, Unit};
use super::machine::cores;
use crate::process::output;
use anyhow::Result;
use std::fmt::Write as _;
use std::process::Command;

const OPENING: &str = "\
# Performance

The same work on roadstead, Debian's `docker-registry` and nginx, measured on one machine one after
the other; written by

```text
cargo xtask bench                    # all cases, and this page anew
cargo xtask bench push-1m --rounds 5 # one case, shown only
```

which needs Debian or Ubuntu and installs the packages `docker-registry` and `nginx-light`. Figures
belong to the machine and the hour; the ratios are what holds, and each is the median of the ratios
of the rounds, with the least and the greatest beside it. Nothing here is a promise.
";

const METHOD: &str = "\
## How it is measured

- Each measurement starts its server afresh over an empty folder on the same disk, and ends it; the
  disk comes to rest before the next one. Rounds go forwards and backwards in turn.
- The load is one program with one thread (`crates/bench`): plain HTTP/1.1 over connections that
  stay open, on the same cores as the server.
- roadstead asks for a login on every request and gets the token as clients send it; what it
  acknowledges is on the disk. `docker-registry` runs without a login, with its cache of descriptors
  in memory, and does not sync what it acknowledges. nginx sends the same bytes from files, with
  `sendfile` and a cache of open files. None of them logs requests.
- A blob is pushed as clients do it: POST, PATCH, PUT, each blob a new one. Manifests name a
  configuration and four layers. Pulls are of one thing over and over, so from memory.
- Pages of a million are read from a store that was filled directly.
- \"What saturates\" goes by processor and disk while roadstead was measured; processor of others is
  noise.
";

/// The page.
pub fn write(lines: &[Line], rounds: usize, bench: &Bench) -> Result<String> {
    let mut text = String::from(OPENING);
    let version = |program: &std::path::Path, word: &str| {
        let said = Command::new(program).arg(word).output();
        let said = said
            .map(|o| [o.stdout, o.stderr].concat())
            .unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        said.lines().next().unwrap_or_default().trim().to_owned()
    };
    let day = output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    writeln!(
        text,
        "\nThe last run: {day}, {rounds} rounds, {} cores; `{}`, `{}`.\n",
        cores(),
        version(&bench.registry, "--version")
            .replace(&*bench.registry.to_string_lossy(), "docker-registry"),
        version(&bench.nginx, "-v"),
    )?;
    text += "## Against the bar\n\n| what | bar | ratio or value (least, greatest) | met |\n|---|---|---|---|\n";
    for line in lines {
        for bar in &line.bars {
            bar_row(&mut text, line, bar)?;
        }
    }
    text += "\n## Figures\n\n| what | server | median (least, greatest) | p50 ms | p99 ms | server CPU s | load CPU s | others' CPU s | in s |\n|---|---|---|---|---|---|---|---|---|\n";
    for line in lines {
        for side in &line.sides {
            figure_row(&mut text, line, side)?;
        }
    }
    text += "\n## What saturates\n\n";
    for line in lines
        .iter()
        .filter(|line| line.sides[0].samples[0].spent.seconds > 0.0)
    {
        writeln!(text, "- {}: {}", line.title, saturated(&line.sides[0]))?;
    }
    writeln!(text, "\n{METHOD}")?;
    Ok(text.trim_end().to_owned() + "\n")
}

fn bar_row(text: &mut String, line: &Line, bar: &Bar) -> Result<()> {
    let own = &line.sides[0];
    let (said, values, is_met) = match *bar {
        Bar::AtLeast(factor, other) => {
            let other = &line.sides[other];
            let ratios = ratios(own, other);
            let is_met = median(&ratios) >= factor;
            (
                format!("at least {factor} of {}", other.label),
                ratios,
                is_met,
            )
        }
        Bar::AtMost(factor, other) => {
            let other = &line.sides[other];
            let ratios = ratios(own, other);
            let is_met = median(&ratios) <= factor;
            (
                format!("at most {factor} of {}", other.label),
                ratios,
                is_met,
            )
        }
        Bar::Below(value) => {
            let values = values(own);
            let is_met = median(&values) < value;
            (format!("below {value} {}", unit(line.unit)), values, is_met)
        }
    };
    let met = if is_met { "yes" } else { "**no**" };
    writeln!(
        text,
        "| {} | {said} | {} | {met} |",
        line.title,
        spread(&values)
    )?;
    Ok(())
}

fn figure_row(text: &mut String, line: &Line, side: &Side) -> Result<()> {
    let typical = |of: fn(&Sample) -> f64| median(&side.samples.iter().map(of).collect::<Vec<_>>());
    write!(
        text,
        "| {} | {} | {} {} |",
        line.title,
        side.label,
        spread(&values(side)),
        unit(line.unit),
    )?;
    if side.samples[0].spent.seconds > 0.0 {
        writeln!(
            text,
            " {:.3} | {:.3} | {:.2} | {:.2} | {:.2} | {:.2} |",
            typical(|s| s.p50_ms),
            typical(|s| s.p99_ms),
            typical(|s| s.spent.server),
            typical(|s| s.client),
            typical(others),
            typical(|s| s.spent.seconds),
        )?;
    } else {
        writeln!(text, " | | | | | |")?;
    }
    Ok(())
}

/// Processor seconds of neither the server nor the load.
fn others(sample: &Sample) -> f64 {
    (sample.spent.everybody - sample.spent.server - sample.client).max(0.0)
}

fn saturated(side: &Side) -> String {
    let share = |of: fn(&Sample) -> f64| {
        let shares: Vec<f64> = side
            .samples
            .iter()
            .map(|s| of(s) / s.spent.seconds)
            .collect();
        median(&shares)
    };
    let (server, client) = (share(|s| s.spent.server), share(|s| s.client));
    let (everybody, disk) = (share(|s| s.spent.everybody), share(|s| s.spent.disk));
    let what = if everybody > 0.85 * cores() {
        "the processor"
    } else if client > 0.9 {
        "the one thread of the load"
    } else if disk > 0.6 {
        "the disk"
    } else {
        "nothing: each request waits for its turn, or for a sync"
    };
    format!(
        "{what} (of {} cores the server had {server:.2}, the load {client:.2}, everybody \
         {everybody:.2}; the disk was busy {:.0} % of the time)",
        cores(),
        disk.min(1.0) * 100.0,
    )
}

fn values(side: &Side) -> Vec<f64> {
    side.samples.iter().map(|sample| sample.value).collect()
}

/// Round by round.
fn ratios(own: &Side, other: &Side) -> Vec<f64> {
    let pairs = own.samples.iter().zip(&other.samples);
    pairs.map(|(own, other)| own.value / other.value).collect()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => 0.0,
        (length, half) if length % 2 == 1 => sorted[half],
        (_, half) => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!(
        "{} ({}, {})",
        short(median(values)),
        short(least),
        short(most)
    )
}

fn short(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Rate => "/s",
        Unit::Bytes => "MB/s",
        Unit::Milliseconds => "ms",
        Unit::Memory => "MiB",
    }
}
