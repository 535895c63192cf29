//! `smartpick-edge ca`: the authority behind this box's HTTPS, and how devices come to trust it.

use std::fmt::Write as _;

use anyhow::bail;
use clap::Args;
use common::clock;
use common::tls::Mode;

use super::ConfigArgs;
use super::running::data_dir;
use crate::config::Config;
use crate::tls;

#[derive(Debug, Args)]
pub struct CaArgs {
    /// Print the certificate alone, in PEM.
    #[arg(long)]
    pem: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What to say of it.
pub fn run(args: &CaArgs, config: &Config) -> anyhow::Result<String> {
    if config.tls.mode != Mode::Own {
        bail!(
            "this box does not speak HTTPS by an authority of its own; set mode = \"own\" in [tls], then restart the edge"
        );
    }
    let authority = tls::authority(&data_dir(config)?, clock::now())?;
    if args.pem {
        return Ok(authority.pem().to_owned());
    }
    let names = tls::names(config);
    let at = format!("https://{}:{}", names.first().map_or("localhost", String::as_str), config.listen.port());
    let mut out = String::new();
    writeln!(out, "SHA-256  {}", authority.fingerprint())?;
    writeln!(out, "names    {}", names.join(", "))?;
    writeln!(
        out,
        "\nOpen {at}/ca.crt on the device, past its warning this once, and compare the fingerprint before trusting it:"
    )?;
    for (device, how) in [
        (
            "iPhone, iPad",
            "Settings, Profile Downloaded, Install; then General, About, Certificate Trust Settings, switch it on",
        ),
        ("Android", "Settings, Security, Encryption & credentials, Install a certificate, CA certificate"),
        ("Windows", "open the file, Install Certificate, Local Machine, Trusted Root Certification Authorities"),
        ("macOS", "open the file, add it to the System keychain, Get Info, Trust: Always Trust"),
        ("Debian", "copy it to /usr/local/share/ca-certificates/, then sudo update-ca-certificates"),
        ("Firefox", "Settings, Privacy & Security, View Certificates, Authorities, Import"),
    ] {
        writeln!(out, "  {device:13} {how}")?;
    }
    writeln!(
        out,
        "Whoever has this box's disk can pretend to be it to those devices; nothing else is signed by this authority.\n"
    )?;
    out += authority.pem();
    Ok(out)
}
