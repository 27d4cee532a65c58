//! `locule sandbox ports` and `locule sandbox url`.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use locule_client::Client;
use serde::Serialize;

use crate::find::Finder;
use crate::{list, printer};

#[derive(Debug, Args)]
pub struct PortsArgs {
    /// Id of the sandbox, or the beginning of the id
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct UrlArgs {
    /// Id of the sandbox, or the beginning of the id
    id: String,
    /// Number of the port
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Print an address that opens the port of a private sandbox in a browser, once, within 60 seconds
    #[arg(long)]
    link: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The address of a port.
#[derive(Serialize)]
struct Url {
    url: String,
}

pub(crate) async fn ports(client: &Client, args: &PortsArgs) -> anyhow::Result<ExitCode> {
    let id = Finder::new(client).find(&args.id).await?;
    let listed = client.list_ports(id).await?;
    if args.json {
        printer::json(&listed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = listed.ports.into_iter().map(|port| {
        // Programs of the sandbox choose their names.
        let process = port.process.unwrap_or_default();
        [
            port.port.to_string(),
            port.address.to_string(),
            printer::without_control_characters(&process).replace(['\n', '\t'], " "),
            port.url.unwrap_or_default(),
        ]
    });
    printer::print_line(&list::columns(["PORT", "ADDRESS", "PROCESS", "URL"], rows));
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn url(client: &Client, args: &UrlArgs) -> anyhow::Result<ExitCode> {
    let id = Finder::new(client).find(&args.id).await?;
    let url = if args.link {
        client.link_port(id, args.port).await?.url
    } else {
        let pattern = client.list_ports(id).await?.url_pattern;
        let pattern = pattern.context(
            "ports have no host names at this server: the operator sets a sandbox domain",
        )?;
        pattern.replace("{port}", &args.port.to_string())
    };
    if args.json {
        printer::json(&Url { url })?;
    } else {
        printer::print_line(&url);
    }
    Ok(ExitCode::SUCCESS)
}
