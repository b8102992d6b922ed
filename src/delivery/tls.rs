//! Whom to trust: the system's roots, and what `ca_cert` holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{
    DangerousClientConfigBuilder, HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::settings::StatusServer;

/// Where Linux distributions keep the one file with all system roots.
const ROOT_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What begins a certificate in PEM.
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// How TLS is spoken to `server`; `None` where nothing speaks it. A proxy may, and is verified like the server.
///
/// # Errors
/// Certificates that cannot be read.
pub(crate) fn client_config(server: &StatusServer) -> Result<Option<Arc<ClientConfig>>> {
    let proxy = server.proxy.as_ref().map(|proxy| &proxy.uri);
    if ![Some(&server.endpoint), proxy].into_iter().flatten().any(|uri| uri.scheme_str() == Some("https")) {
        // Reading the roots takes longer than the whole delivery over plain http.
        return Ok(None);
    }
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .context("cannot set up TLS")?;
    let builder = DangerousClientConfigBuilder { cfg: builder };
    let config = if server.insecure_skip_verify {
        builder.with_custom_certificate_verifier(Arc::new(Unverified))
    } else {
        builder.with_custom_certificate_verifier(Arc::new(Verified::new(server, provider)?))
    };
    Ok(Some(Arc::new(config.with_no_client_auth())))
}

/// What is wrong with `ca_cert`, as a sentence.
pub(crate) fn ca_cert_problem(server: &StatusServer) -> Option<String> {
    let ca_cert = server.ca_cert.as_deref()?;
    own_certificates(ca_cert).err().map(|error| format!("{error:#}"))
}

/// Verifies a server against the roots, or finds that it shows one of the user's own certificates.
#[derive(Debug)]
struct Verified {
    roots: Arc<WebPkiServerVerifier>,
    /// What `ca_cert` holds.
    own: Vec<CertificateDer<'static>>,
}

impl Verified {
    fn new(server: &StatusServer, provider: Arc<CryptoProvider>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(system_roots(server.root_bundle.as_deref())?);
        let own = server.ca_cert.as_deref().map(own_certificates).transpose()?.unwrap_or_default();
        roots.add_parsable_certificates(own.iter().cloned());
        if roots.is_empty() {
            bail!("no root certificates were found on this system; install ca-certificates or set `ca_cert`");
        }
        let roots = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .context("cannot set up the verification of certificates")?;
        Ok(Self { roots, own })
    }
}

impl ServerCertVerifier for Verified {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let Err(Error::InvalidCertificate(refused)) = &verified else { return verified };
        // A self-signed certificate, which is usually made as an authority's, signs no other and cannot be verified as a
        // server's. One that an unknown authority signed may have that authority's name. These refusals come after its
        // dates were found to be right. The handshake proves that the server has its key.
        let is_own = self.own.iter().any(|own| own == end_entity);
        let is_only_unknown = matches!(refused, CertificateError::UnknownIssuer | CertificateError::BadSignature);
        if is_own && (is_only_unknown || is_authority(refused)) {
            rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.roots.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.roots.supported_verify_schemes()
    }
}

/// Whether a certificate was refused as a server's because it is an authority's.
pub(crate) fn is_authority(refused: &CertificateError) -> bool {
    let CertificateError::Other(other) = refused else { return false };
    other.0.downcast_ref::<webpki::Error>() == Some(&webpki::Error::CaUsedAsEndEntity)
}

/// Takes any certificate, of any kind of key: `insecure_skip_verify`.
#[derive(Debug)]
struct Unverified;

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        use SignatureScheme as S;
        vec![
            S::ED25519,
            S::ECDSA_NISTP256_SHA256,
            S::ECDSA_NISTP384_SHA384,
            S::ECDSA_NISTP521_SHA512,
            S::RSA_PSS_SHA256,
            S::RSA_PSS_SHA384,
            S::RSA_PSS_SHA512,
            S::RSA_PKCS1_SHA256,
            S::RSA_PKCS1_SHA384,
            S::RSA_PKCS1_SHA512,
        ]
    }
}

/// The certificates of the system's bundle that can be read. One that is named must be there.
fn system_roots(named: Option<&Path>) -> Result<Vec<CertificateDer<'static>>> {
    let usual = || ROOT_BUNDLES.into_iter().map(PathBuf::from).find(|path| path.exists());
    let Some(path) = named.map(Path::to_owned).or_else(usual) else { return Ok(Vec::new()) };
    let pem =
        read(&path).with_context(|| format!("cannot read the system's root certificates in `{}`", path.display()))?;
    Ok(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect())
}

/// The content of a regular file: nobody may ever write to a pipe, and a device may never end.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.is_file() {
        return std::fs::read(path);
    }
    Err(std::io::Error::other("it is not a regular file"))
}

/// The certificates that `ca_cert` holds or names; at least one, and each of them whole.
///
/// # Errors
/// A sentence that names the setting.
fn own_certificates(ca_cert: &str) -> Result<Vec<CertificateDer<'static>>> {
    let (pem, name) = if ca_cert.contains("-----BEGIN") {
        // A pipeline setting on one line has its line ends written out.
        (ca_cert.replace("\\n", "\n").into_bytes(), "the PEM text of `ca_cert`".to_owned())
    } else {
        let pem = read(Path::new(ca_cert)).with_context(|| {
            format!(
                "cannot read `{ca_cert}`, which `ca_cert` names; write the path of a PEM file, or the PEM text itself"
            )
        })?;
        (pem, format!("`{ca_cert}`, which `ca_cert` names,"))
    };
    let certificates: Result<Vec<_>, PemError> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|_| anyhow!("{name} is cut off or damaged; store the complete file"))?;
    if certificates.is_empty() {
        bail!("{name} contains no certificate; it begins with {BEGIN}");
    }
    for certificate in &certificates {
        RootCertStore::empty().add(certificate.clone()).map_err(|_| {
            anyhow!("{name} contains something that is not a certificate between its BEGIN and END lines")
        })?;
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_cert_that_cannot_be_read_is_refused_with_the_reason() {
        let good = rcgen::generate_simple_self_signed(["status".to_owned()]).unwrap().cert.pem();
        assert_eq!(own_certificates(&good).unwrap().len(), 1);
        assert_eq!(own_certificates(&good.replace('\n', "\\n")).unwrap().len(), 1);
        assert_eq!(own_certificates(&format!("{good}{good}")).unwrap().len(), 2);
        let lines: Vec<&str> = good.lines().collect();
        let cut = lines[..lines.len() - 2].join("\n");
        let hole = [&lines[..2], &lines[3..]].concat().join("\n");
        for (text, said) in [
            (format!("{BEGIN}\nc4n4ry!\n-----END CERTIFICATE-----\n"), "cut off or damaged"),
            (cut, "cut off or damaged"),
            (hole, "not a certificate between"),
            (format!("{BEGIN}\naGVsbG8=\n-----END CERTIFICATE-----\n"), "not a certificate between"),
            (
                "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n".to_owned(),
                "contains no certificate",
            ),
            ("/nonexistent.pem".to_owned(), "cannot read `/nonexistent.pem`"),
            ("/dev/zero".to_owned(), "it is not a regular file"),
            ("/".to_owned(), "it is not a regular file"),
        ] {
            let problem = format!("{:#}", own_certificates(&text).unwrap_err());
            assert!(problem.contains(said) && problem.contains("`ca_cert`"), "{text}: {problem}");
            assert!(!problem.contains("c4n4ry"), "{problem}");
        }
    }
}
