//! The `docker-credential-roadstead` program.

fn main() -> std::process::ExitCode {
    roadstead_server::login::run()
}
