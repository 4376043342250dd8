//! The commands of a page of documentation.

/// The lines between "```sh" and "```"; one that ends in `# refused` must fail.
pub fn shell_blocks(text: &str) -> String {
    let mut commands = String::new();
    let mut is_inside = false;
    for line in text.lines() {
        match (is_inside, line.trim()) {
            (false, "```sh") => is_inside = true,
            (true, "```") => is_inside = false,
            (true, _) => match line.strip_suffix("# refused") {
                Some(line) => commands.push_str(&format!("if {line}; then exit 65; fi\n")),
                None => commands.push_str(&format!("{line}\n")),
            },
            _ => {}
        }
    }
    commands
}

/// Replaces every `localhost:port` and `127.0.0.1:port` by the free address.
pub fn with_address(text: &str, address: &str) -> String {
    let mut rest = text;
    let mut replaced = String::new();
    while let Some((at, host)) = ["localhost:", "127.0.0.1:"]
        .into_iter()
        .filter_map(|host| Some((rest.find(host)?, host)))
        .min()
    {
        replaced.push_str(&rest[..at]);
        rest = &rest[at + host.len()..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        replaced.push_str(if digits > 0 { address } else { host });
        rest = &rest[digits..];
    }
    replaced.push_str(rest);
    replaced
}
