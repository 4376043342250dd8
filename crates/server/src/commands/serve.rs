//! `roadstead serve`: the registry, until SIGTERM or SIGINT. SIGHUP reads the certificate again.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use roadstead_http::server::listener;
use roadstead_registry::Registry;
use roadstead_registry::context::{Clock, Ids};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::ConfigArgs;
use crate::ambient::{SystemClock, SystemIds};
use crate::certificate::{self, Certificate};
use crate::config::{Config, Log};
use crate::data_dir::DataDir;
use crate::workers::Workers;
use crate::{compose, control, engine};

const DEV_WARNING: &str = "\
*** --dev: ANY access key is accepted, login is optional, and repositories are made on first push.
*** Never use it for data that matters.

";

/// `roadstead serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where the settings come from.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// An address to listen on; may be given more than once.
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Vec<SocketAddr>,
    /// For development: loopback only, any access key accepted, login optional, repositories made
    /// on first push.
    #[arg(long)]
    pub dev: bool,
}

/// Runs the command.
pub fn run(args: &ServeArgs) -> Result<()> {
    let mut config = args.config.load()?;
    if !args.listen.is_empty() {
        config.listen.clone_from(&args.listen);
    }
    let public = config.listen.iter().find(|one| !one.ip().is_loopback());
    if let (true, Some(address)) = (args.dev, public) {
        bail!("--dev accepts anybody, so it listens on loopback only, not on {address}");
    }
    start_log(&config.log)?;
    raise_open_files();
    let runtime = tokio::runtime::Runtime::new()?;
    let served = runtime.block_on(serve(config, args.dev));
    // What is still read on its threads, by the doctor say, is wanted by nobody.
    runtime.shutdown_timeout(READS_MAX);
    served
}

/// How long the threads that read may take to end.
const READS_MAX: Duration = Duration::from_secs(2);

async fn serve(config: Config, is_dev: bool) -> Result<()> {
    // Before anything is made: a mistake in the settings leaves nothing behind.
    let certificate = Certificate::open(&config.tls)?;
    // Whoever reads the greeting may end the server at once, and gently.
    let signals = Signals::new()?;
    let data = DataDir::take(&config.data)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids: Arc<dyn Ids> = Arc::new(SystemIds::default());
    let registry = compose::embedded(&data, clock.clone(), ids.clone(), config.rules())?;
    tokio::spawn(control::serve(
        control::listen(&data)?,
        registry.clone(),
        clock.clone(),
    ));
    // Whoever finds the port open finds the control socket too.
    let (listeners, addresses) = listen(&config.listen)?;
    let address = addresses[0];
    engine::attach(
        &config,
        &data,
        &registry,
        (&clock, &*ids),
        (address, is_dev),
    )
    .await?;
    let greeting = greeting(&config, is_dev, &addresses, &registry, &*clock).await?;
    // A reader that has gone is no reason not to serve.
    if let Err(error) = std::io::stdout().write_all(greeting.as_bytes()) {
        tracing::warn!(%error, "could not print the greeting");
    }
    let workers = Workers::start(&config, &registry, &clock)?;
    let faces = compose::faces(registry.clone(), clock, config.faces(is_dev)?);
    let serving = config.serving(certificate.as_ref().map(Certificate::shown));
    tokio::spawn(certificate::keep(
        certificate,
        Duration::from_secs(config.tls.reload_seconds.into()),
        signal(SignalKind::hangup())?,
    ));
    roadstead_http::server::serve(faces, listeners, serving, signals.first()).await;
    workers.end().await;
    registry.write_pull_times().await?;
    Ok(())
}

/// The sockets, and where they are: a port of 0 has become one.
fn listen(wanted: &[SocketAddr]) -> Result<(Vec<TcpListener>, Vec<SocketAddr>)> {
    let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
    for address in wanted {
        let listener = listener(*address, wanted);
        let listener = listener.with_context(|| format!("listening on {address}"))?;
        addresses.push(listener.local_addr()?);
        listeners.push(listener);
    }
    Ok((listeners, addresses))
}

/// SIGTERM and SIGINT.
struct Signals {
    terminated: Signal,
    interrupted: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self {
            terminated: signal(SignalKind::terminate())?,
            interrupted: signal(SignalKind::interrupt())?,
        })
    }

    /// Is done at the first one. From there on a second one ends the process at once: nothing that
    /// was acknowledged is lost by that.
    async fn first(mut self) {
        self.next().await;
        tracing::info!("stopping: requests in flight may end");
        tokio::spawn(async move {
            self.next().await;
            tracing::warn!("stopping at once");
            std::process::exit(1);
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminated.recv() => {}
            _ = self.interrupted.recv() => {}
        }
    }
}

/// Every connection and every blob on its way is an open file: as many as the system allows. The
/// usual soft limit, 1024, is kept low for programs that use `select`.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "could not raise the limit of open files");
    }
}

/// What a user needs first, with the root key if this is the first start.
async fn greeting(
    config: &Config,
    is_dev: bool,
    addresses: &[SocketAddr],
    registry: &Registry,
    clock: &dyn Clock,
) -> Result<String> {
    let address = addresses[0];
    let scheme = match config.tls.certificate {
        Some(_) => "https",
        None => "http",
    };
    let all = addresses.iter().map(|one| format!("{scheme}://{one}"));
    let all = all.collect::<Vec<_>>().join(" and ");
    let host = if address.ip().is_loopback() || address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    };
    let (data, region, account) = (config.data.display(), &config.region, &config.account);
    let login = format!(
        "aws ecr get-login-password | docker login --username AWS --password-stdin {host}\n"
    );
    let (key, login, warning) = if is_dev {
        let key = format!("export AWS_ACCESS_KEY_ID={account} AWS_SECRET_ACCESS_KEY=any");
        (key, String::new(), DEV_WARNING)
    } else if registry.access_keys(None).await?.is_empty() {
        let made = registry
            .create_access_key(config.default_account()?, clock.now())
            .await?;
        let (id, secret) = (made.id, made.secret);
        let key = format!(
            "# the root key of account {account}, shown only now:\n\
             export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={}",
            *secret
        );
        (key, login, "")
    } else {
        let key =
            format!("# with an access key; another is made by: roadstead key create --data {data}");
        (key, login, "")
    };
    // Version 1 of the AWS CLI knows AWS_DEFAULT_REGION only, some SDKs only AWS_REGION.
    Ok(format!(
        "roadstead listens on {all}, data in {data}\n\n\
         export AWS_ENDPOINT_URL={scheme}://{host} AWS_REGION={region} AWS_DEFAULT_REGION={region}\n\
         {key}\n\
         aws ecr create-repository --repository-name app\n\
         {login}\
         docker push {host}/app\n\n\
         {warning}"
    ))
}

fn start_log(log: &Log) -> Result<()> {
    let filter =
        EnvFilter::try_new(&log.level).with_context(|| format!("log.level '{}'", log.level))?;
    // The engine's client logs what it sends: the environment of containers, hence secrets.
    let filter = filter.add_directive("bollard=info".parse()?);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match log.format.as_str() {
        "json" => builder.json().init(),
        _ => builder.init(),
    }
    Ok(())
}
