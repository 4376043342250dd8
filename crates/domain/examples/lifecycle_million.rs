//! What an evaluation costs: a million images against 50 rules, in processor time and peak memory.
//!
//! `cargo run --release -p roadstead-domain --example lifecycle_million [IMAGES]`; Linux only, for
//! it reads `/proc/self` instead of a clock. Digests of 71 bytes, one to three tags each, every tenth
//! image an index with two members and every twentieth a referrer.

use roadstead_domain::image::ImageStatus;
use roadstead_domain::lifecycle::images::{ImageFacts, Images};
use roadstead_domain::lifecycle::policy::{
    Count, LifecycleAction, LifecyclePolicy, LifecycleRule, TagSelection,
};
use roadstead_domain::time::{Span, Timestamp};

const NOW: Timestamp = Timestamp::from_seconds(1_767_225_600);
const FAMILIES: u64 = 60;

fn main() {
    let argument = std::env::args().nth(1);
    let count = argument.and_then(|text| text.parse().ok());
    let count: u64 = count.unwrap_or(1_000_000);
    let policy = policy();
    let mut images = Images::new(&policy);
    for n in 0..count {
        push(&mut images, n);
    }
    let read = processor_seconds();
    let evaluation = images.evaluate(NOW, Span::hours(24));
    let evaluated = processor_seconds();
    let planned = evaluation.planned().count();
    let blocked = evaluation.blocked().count();
    let listed = processor_seconds();
    println!(
        "{count} images, {} rules: read {read:.2} s, evaluated {:.2} s, listed {:.2} s",
        policy.rules.len(),
        evaluated - read,
        listed - evaluated,
    );
    println!(
        "{:?}, {planned} planned, {blocked} blocked",
        evaluation.summary()
    );
    println!("peak memory {} MiB", status("VmHWM:") / 1024);
}

/// Half of the rules count, half look at ages; prefixes, patterns and lists of two.
fn policy() -> LifecyclePolicy {
    let rule = |priority: i32| {
        let family = format!("family-{priority}-");
        let number = u64::from(priority.unsigned_abs());
        let tags = match priority % 5 {
            _ if priority == 49 => TagSelection::Untagged,
            _ if priority == 50 => TagSelection::Any,
            0 => TagSelection::Patterns(vec![format!("*{family}*")]),
            1 => TagSelection::Patterns(vec![format!("{family}*"), "*7*".into()]),
            2 => TagSelection::Prefixes(vec![family, "fam".into()]),
            _ => TagSelection::Prefixes(vec![family]),
        };
        LifecycleRule {
            priority,
            description: None,
            tags,
            storage_class: None,
            count: match priority % 2 {
                0 => Count::ImageCountMoreThan(number * 100),
                _ => Count::SinceImagePushed(number * 10),
            },
            action: match priority % 7 {
                0 => LifecycleAction::Transition,
                _ => LifecycleAction::Expire,
            },
        }
    };
    LifecyclePolicy {
        rules: (1..=50).map(rule).collect(),
    }
}

fn push(images: &mut Images, n: u64) {
    let noise = scramble(n);
    let tags: Vec<String> = (0..1 + noise % 3)
        .map(|tag| format!("family-{}-{n}", (noise >> (8 * tag)) % FAMILIES))
        .collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let referred = digest(n.saturating_sub(3));
    let place = images.push(&ImageFacts {
        name: &digest(n),
        tags: if noise.is_multiple_of(50) { &[] } else { &tags },
        status: ImageStatus::Active,
        pushed_at: NOW - Span::seconds((noise % 63_072_000) as i64),
        push_seq: n as i64,
        last_pulled_at: None,
        archived_at: None,
        activated_at: None,
        orphaned_at: None,
        subject: (n % 20 == 7).then_some(&referred),
    });
    if n.is_multiple_of(10) {
        images.list_member(place, &digest(n + 1));
        images.list_member(place, &digest(n + 2));
    }
}

fn digest(n: u64) -> String {
    let part = |salt| scramble(n ^ salt);
    format!(
        "sha256:{:016x}{:016x}{:016x}{:016x}",
        part(1 << 60),
        part(2 << 60),
        part(3 << 60),
        n
    )
}

/// One step of the SplitMix64 generator.
fn scramble(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// User and system time so far; the kernel counts hundredths of a second (proc(5), `stat`).
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

/// A number of KiB from proc(5), `status`.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
