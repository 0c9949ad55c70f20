//! TLS.

use super::*;

#[test]
fn reads_tls_modes_of_both_servers() {
    for (parameters, expected) in [
        ("", TlsMode::Prefer),
        ("sslmode=", TlsMode::Prefer),
        ("sslmode=disable", TlsMode::Disable),
        ("ssl-mode=DISABLED", TlsMode::Disable),
        ("sslmode=prefer", TlsMode::Prefer),
        ("sslMode=PREFERRED", TlsMode::Prefer),
        ("sslmode=require", TlsMode::Require),
        ("ssl_mode=Required", TlsMode::Require),
        ("sslmode=no-verify", TlsMode::Require),
        ("sslmode=verify-ca&sslrootcert=ca.pem", TlsMode::VerifyCa),
        ("ssl-mode=VERIFY_CA&ssl-ca=ca.pem", TlsMode::VerifyCa),
        // Any certificate of a public authority would do, so the name has to.
        ("sslmode=verify-ca", TlsMode::VerifyFull),
        ("ssl-mode=VERIFY_CA", TlsMode::VerifyFull),
        ("sslmode=verify-full", TlsMode::VerifyFull),
        ("ssl-mode=verify-identity", TlsMode::VerifyFull),
        ("ssl=true", TlsMode::Require),
        ("ssl=false", TlsMode::Disable),
        ("ssl=require", TlsMode::Require),
        ("ssl", TlsMode::Require),
        ("tls=true", TlsMode::VerifyFull),
        ("tls=skip-verify", TlsMode::Require),
        ("tls=preferred", TlsMode::Prefer),
        ("tls=false", TlsMode::Disable),
        ("useSSL=true", TlsMode::Require),
        ("useSSL=false", TlsMode::Disable),
        ("useSSL=false&requireSSL=true", TlsMode::Disable),
        ("requireSSL=true", TlsMode::Require),
        (
            "useSSL=true&verifyServerCertificate=true&serverSslCert=ca.pem",
            TlsMode::VerifyCa,
        ),
        ("ssl={\"rejectUnauthorized\":true}", TlsMode::VerifyFull),
        (
            "ssl=%7B%22rejectUnauthorized%22:%20false%7D",
            TlsMode::Require,
        ),
        ("ssl=true&sslmode=disable", TlsMode::Disable),
        ("ssl_ca=ca.pem", TlsMode::VerifyCa),
        ("ssl_ca=ca.pem&ssl_check_hostname=true", TlsMode::VerifyFull),
    ] {
        for scheme in ["postgres", "mysql"] {
            assert_eq!(
                mode(&format!("{scheme}://h/d?{parameters}")),
                expected,
                "{scheme} {parameters}"
            );
        }
    }
    assert_eq!(mode("postgres://h?sslmode=allow"), TlsMode::Allow);
    assert_eq!(mode("mysql://h?sslmode=allow"), TlsMode::Prefer);
    assert_eq!(
        mode("postgres://h?sslmode=require&sslrootcert=ca.pem"),
        TlsMode::VerifyCa
    );
    assert_eq!(
        mode("mysql://h?ssl-mode=REQUIRED&ssl-ca=ca.pem"),
        TlsMode::Require
    );
    assert_eq!(mode("jdbc:postgresql://h/d?ssl=true"), TlsMode::VerifyFull);
    assert_eq!(mode("jdbc:postgresql://h/d?ssl"), TlsMode::VerifyFull);
    assert_eq!(
        mode("jdbc:postgresql://h/d?ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory"),
        TlsMode::Require
    );
    let system = url("postgres://h?sslmode=require&sslrootcert=system");
    assert_eq!(
        (system.tls().mode, system.tls().root_cert.as_ref()),
        (TlsMode::VerifyFull, None)
    );
    let tls = url("mysql://h?ssl-ca=/ca&ssl-cert=/c&ssl-key=/k")
        .tls()
        .clone();
    assert_eq!(
        [tls.root_cert, tls.client_cert, tls.client_key].map(|path| path.expect("a path")),
        ["/ca", "/c", "/k"].map(PathBuf::from)
    );
}

#[test]
fn an_unknown_tls_value_is_an_error() {
    for parameter in [
        "sslmode=requre",
        "ssl=maybe",
        "tls=custom",
        "useSSL=perhaps",
        "sslaccept=sometimes",
    ] {
        let error = error(&format!("postgres://h/d?{parameter}"));
        let (name, value) = parameter.split_once('=').expect("a pair");
        assert!(
            error.to_string().contains(name) && !error.to_string().contains(value),
            "{error}"
        );
    }
}
