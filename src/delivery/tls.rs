//! Whom to trust: the system's roots and the user's own authority.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::settings::StatusServer;

/// Where Linux distributions keep the one file with all system roots.
const ROOT_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How the server's certificate is verified.
///
/// # Errors
/// Certificates that cannot be read.
pub(crate) fn tls_config(server: &StatusServer) -> Result<TlsConfig> {
    let config = TlsConfig::builder();
    if server.insecure_skip_verify {
        return Ok(config.disable_verification(true).build());
    }
    if server.endpoint.scheme_str() != Some("https") {
        // Reading the roots takes longer than the whole delivery over plain http.
        return Ok(config.build());
    }
    Ok(config.root_certs(RootCerts::from(roots(server)?.into_iter())).build())
}

/// The system's roots and the user's own authority. A bundle that is named must be there.
fn roots(server: &StatusServer) -> Result<Vec<Certificate<'static>>> {
    let mut roots = Vec::new();
    let named = server.root_bundle.as_deref();
    if let Some(path) = named.or_else(|| ROOT_BUNDLES.into_iter().find(|path| Path::new(path).exists())) {
        let pem =
            std::fs::read(path).with_context(|| format!("cannot read the system's root certificates in `{path}`"))?;
        roots.extend(certificates(&pem));
    }
    if let Some(ca_cert) = &server.ca_cert {
        roots.extend(own_authority(ca_cert)?);
    }
    if roots.is_empty() {
        bail!("no root certificates were found on this system; install ca-certificates or set `ca_cert`");
    }
    Ok(roots)
}

fn own_authority(ca_cert: &str) -> Result<Vec<Certificate<'static>>> {
    let (pem, name) = if ca_cert.contains("-----BEGIN") {
        // A pipeline setting on one line has its line ends written out.
        (ca_cert.replace("\\n", "\n").into_bytes(), "the PEM text of `ca_cert`".to_owned())
    } else {
        let pem = std::fs::read(ca_cert).with_context(|| {
            format!(
                "cannot read `{ca_cert}`, which `ca_cert` names; write the path of a PEM file, or the PEM text itself"
            )
        })?;
        (pem, format!("`{ca_cert}`, which `ca_cert` names,"))
    };
    let certificates = certificates(&pem);
    if certificates.is_empty() {
        bail!("{name} holds no certificate; it begins with -----BEGIN CERTIFICATE-----");
    }
    Ok(certificates)
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect()
}
