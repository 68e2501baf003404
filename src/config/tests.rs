use super::*;
use secrecy::ExposeSecret as _;

const LAB: &str = r#"
default = "lab"
[fabric.lab]
environment = "lab"
write = true
[fabric.lab.netbox]
url = "http://127.0.0.1:8900/"
token = "sesame-token"
tag = "evpn-fabric"
[fabric.lab.gnmi]
username = "admin"
password = "sesame-password"
insecure = true
[fabric.lab.targets.leaf1]
address = "127.0.0.1:6031"
[fabric.lab.targets.leaf2]
address = "127.0.0.1:6032"
username = "kim"
password = "other"
insecure = false
skip_verify = true
"#;

fn load_text(text: &str, asked: &Asked, env: &Env) -> Result<Settings, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    load(&Asked { config: Some(path), ..asked.clone() }, env)
}

fn env() -> Env {
    Env::of([("FABRIC_ORCH_STATE", "/nowhere/state"), ("USER", "kim")])
}

#[test]
fn resolves_the_lab() {
    let settings = load_text(LAB, &Asked::default(), &env()).unwrap();
    assert_eq!((&*settings.fabric, settings.environment, settings.may_write), ("lab", Environment::Lab, true));
    assert_eq!(settings.netbox.url, "http://127.0.0.1:8900");
    assert_eq!(settings.user, "kim");
    let leaf1 = settings.target("leaf1");
    assert_eq!(leaf1.address.as_deref(), Some("127.0.0.1:6031"));
    assert_eq!(leaf1.credentials.as_ref().unwrap().password.expose_secret(), "sesame-password");
    assert_eq!(leaf1.security.label(), "PLAINTEXT");
    let leaf2 = settings.target("leaf2");
    assert_eq!(leaf2.credentials.as_ref().unwrap().username, "kim");
    assert_eq!(leaf2.security.label(), "TLS NOT VERIFIED");
    assert_eq!(settings.target("leaf9").address, None);
}

#[test]
fn environment_beats_the_fabric_and_loses_to_the_target() {
    let env = Env::of([
        ("FABRIC_ORCH_STATE", "/nowhere/state"),
        ("FABRIC_ORCH_PASSWORD", "from-env"),
        ("FABRIC_ORCH_USERNAME", "robot"),
        ("FABRIC_ORCH_NETBOX_TOKEN", "token-env"),
    ]);
    let settings = load_text(LAB, &Asked::default(), &env).unwrap();
    let of = |device: &str| {
        let credentials = settings.target(device).credentials.clone().unwrap();
        (credentials.username, credentials.password.expose_secret().to_owned())
    };
    assert_eq!(of("leaf1"), ("robot".into(), "from-env".into()));
    assert_eq!(of("leaf2"), ("kim".into(), "other".into()));
    assert_eq!(settings.netbox.token.as_ref().unwrap().expose_secret(), "token-env");
}

#[test]
fn no_secret_is_shown() {
    let settings = load_text(LAB, &Asked::default(), &env()).unwrap();
    let text = format!("{settings:?}");
    assert!(!text.contains("sesame") && !text.contains("other"), "{text}");
    let wrong = LAB.replace("password = \"sesame-password\"", "password = 12345678");
    let error = load_text(&wrong, &Asked::default(), &env()).unwrap_err().to_string();
    assert!(error.contains("password") && !error.contains("12345678"), "{error}");
}

#[test]
fn unknown_keys_are_named_with_their_line() {
    let wrong = LAB.replace("tag = \"evpn-fabric\"", "tga = \"evpn-fabric\"");
    let error = load_text(&wrong, &Asked::default(), &env()).unwrap_err();
    assert!(matches!(&error, Error::Invalid { line: 9, message, .. } if message.contains("tga")), "{error}");
    let wrong = LAB.replace("address = \"127.0.0.1:6031\"", "adress = \"127.0.0.1:6031\"");
    let error = load_text(&wrong, &Asked::default(), &env()).unwrap_err();
    assert!(matches!(&error, Error::Invalid { line: 15, message, .. } if message.contains("adress")), "{error}");
}

#[cfg(unix)]
#[test]
fn secret_files_must_be_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (path, secret) = (folder.path().join("config.toml"), folder.path().join("pw"));
    std::fs::write(&path, LAB.replace("password = \"sesame-password\"", "password_file = \"pw\"")).unwrap();
    std::fs::write(&secret, "from-file\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let asked = Asked { config: Some(path), ..Asked::default() };
    let error = load(&asked, &env()).unwrap_err();
    assert!(matches!(error, Error::Exposed { mode: 0o644, .. }), "{error}");
    assert!(error.hint().contains("chmod 600"));
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let settings = load(&asked, &env()).unwrap();
    assert_eq!(settings.target("leaf1").credentials.as_ref().unwrap().password.expose_secret(), "from-file");
}

#[test]
fn contradictions_and_choices() {
    let both = LAB.replace("password = \"sesame-password\"", "password = \"a\"\npassword_file = \"b\"");
    assert!(load_text(&both, &Asked::default(), &env()).unwrap_err().to_string().contains("not both"));
    let half = LAB.replace("skip_verify = true", "cert = \"c.pem\"");
    assert!(load_text(&half, &Asked::default(), &env()).unwrap_err().to_string().contains("go together"));
    let asked = Asked { fabric: Some("dc9".into()), ..Asked::default() };
    assert!(load_text(LAB, &asked, &env()).unwrap_err().to_string().contains("there are: lab"));
    let missing = Asked { config: Some("/nowhere/at/all.toml".into()), ..Asked::default() };
    assert!(matches!(load(&missing, &env()), Err(Error::Missing(_))));
    let two = format!("{}\n[fabric.dc2.netbox]\nurl = \"http://x\"\n", LAB.replace("default = \"lab\"", ""));
    assert!(matches!(load_text(&two, &Asked::default(), &env()), Err(Error::Ambiguous(names)) if names.len() == 2));
}

#[test]
fn a_fabric_is_production_and_read_only_unless_it_says_otherwise() {
    let settings = load_text("[fabric.dc1.netbox]\nurl = \"http://x\"\n", &Asked::default(), &env()).unwrap();
    assert_eq!((settings.environment, settings.may_write), (Environment::Production, false));
    let asked = Asked { write: true, ..Asked::default() };
    assert!(load_text("[fabric.dc1.netbox]\nurl = \"http://x\"\n", &asked, &env()).unwrap().may_write);
}

const BEHIND: &str = r#"
[fabric.lab.netbox]
url = "http://127.0.0.1:8900/"
[fabric.lab.gnmi]
username = "admin"
password = "sesame-password"
[fabric.lab.collector]
address = "collector:57400"
username = "reader"
password = "other"
insecure = true
[fabric.lab.collectors.far]
address = "far:57400"
[fabric.lab.targets.leaf1]
address = "127.0.0.1:6031"
[fabric.lab.targets.leaf2]
collector = "far"
collector_target = "dc1-leaf2"
"#;

#[test]
fn devices_are_behind_a_collector_unless_they_say_otherwise() {
    let settings = load_text(BEHIND, &Asked::default(), &env()).unwrap();
    let row = |device: &str| {
        let target = settings.target(device);
        let through = target.through.as_ref().map(|through| (through.collector.as_str(), through.name.as_deref()));
        (target.address.as_deref().unwrap(), through, target.credentials.as_ref().unwrap().username.as_str(), target.security.label())
    };
    assert_eq!(row("leaf1"), ("127.0.0.1:6031", None, "admin", "TLS"));
    assert_eq!(row("leaf2"), ("far:57400", Some(("far", Some("dc1-leaf2"))), "admin", "TLS"));
    assert_eq!(row("leaf3"), ("collector:57400", Some((COLLECTOR, None)), "reader", "PLAINTEXT"));
    assert_eq!((settings.direct.address.as_deref(), settings.direct.through.as_ref()), (None, None));
    for (from, to, word) in [
        ("collector = \"far\"", "collector = \"near\"", "no collector `near`; there are: collector, far"),
        ("collector = \"far\"", "collector = \"far\"\naddress = \"x:1\"", "not both"),
        ("collector = \"far\"", "collector = \"far\"\nusername = \"x\"", "are the collector's"),
        ("address = \"127.0.0.1:6031\"", "address = \"127.0.0.1:6031\"\ncollector_target = \"x\"", "without a collector"),
        ("address = \"far:57400\"", "skip_verify = true", "fabric.lab.collectors.far: a collector has an `address`"),
        ("collectors.far", "collectors.collector", "rename the second"),
    ] {
        let problem = load_text(&BEHIND.replace(from, to), &Asked::default(), &env()).unwrap_err().to_string();
        assert!(problem.contains(word), "{to}: {problem}");
    }
}

#[test]
fn times_and_limits_have_defaults_and_bounds() {
    let usual = load_text(LAB, &Asked::default(), &env()).unwrap();
    assert_eq!((usual.timing.clone(), usual.limits.clone()), (Timing::default(), Limits::default()));
    let own =
        "[fabric.lab.timing]\nkeepalive = 60\nretry = 0\n[fabric.lab.limits]\nconnecting = 0\nmessage_mib = 9999\nupdates_per_second = 0\n";
    let settings = load_text(&format!("{LAB}{own}"), &Asked::default(), &env()).unwrap();
    assert_eq!((settings.timing.keepalive, settings.timing.retry), (Duration::from_secs(60), Duration::from_secs(1)));
    assert_eq!(settings.limits, Limits { connecting: 1, message: 1 << 30, updates_per_second: 0, ..Limits::default() });
    // The README shows what they are.
    let readme = std::fs::read_to_string("README.md").unwrap();
    let shown = readme.split("# [fabric.dc1.timing]").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let shown: String = shown.lines().filter_map(|line| line.strip_prefix("# ")).map(|line| format!("{line}\n")).collect();
    let shown = format!("{LAB}[fabric.lab.timing]\n{}", shown.replace("fabric.dc1", "fabric.lab"));
    let settings = load_text(&shown, &Asked::default(), &env()).unwrap();
    assert_eq!((settings.timing, settings.limits), (Timing::default(), Limits::default()));
}
