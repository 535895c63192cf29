use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    listen: String,
    token: Option<String>,
    spill: Spill,
    site: Site,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Spill {
    bytes_max: u64,
    enabled: bool,
    share: f64,
    mode: Mode,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Site {
    name: String,
    zones: Vec<Zone>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Zone {
    id: u64,
    name: String,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Keep,
    Drop,
}

impl Default for Config {
    fn default() -> Self {
        Self { listen: "127.0.0.1:1".to_owned(), token: None, spill: Spill::default(), site: Site::default() }
    }
}

impl Default for Spill {
    fn default() -> Self {
        Self { bytes_max: 7, enabled: false, share: 0.5, mode: Mode::Keep }
    }
}

static SCHEMA: Schema = Schema {
    env: &[("LISTEN", "listen"), ("TOKEN", "token"), ("SPILL_MAX", "spill.bytes_max"), ("SPILL", "spill.enabled")],
    secrets: &["token"],
    urls: &[],
    reference: "# Where.\n#listen = \"127.0.0.1:8080\"\n#token = \"long\"\n[spill]\n# The most.\n#bytes_max = 7\n\
                #enabled = false\n#share = 0.5\n#mode = \"keep\"\n[site]\n#name = \"\"\n#[[site.zones]]\n#id = 3\n\
                #name = \"Picking\"\n",
};

/// Files by name below a directory of their own, which no error shows.
fn load_from(
    files: &[(&str, &str)],
    env: &[(&str, &str)],
    overrides: &[(&str, &str)],
) -> Result<Loaded<Config>, ConfigError> {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("smartpick-config-{}-{n}", std::process::id()));
    for part in ["edge.d", "credentials"] {
        std::fs::create_dir_all(dir.join(part)).expect("temp dir");
    }
    std::fs::write(dir.join("edge.toml"), "").expect("write");
    for (name, text) in files {
        std::fs::write(dir.join(name), text).expect("write");
    }
    let overrides: Vec<_> = overrides.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let sources = Sources {
        schema: &SCHEMA,
        file: &dir.join("edge.toml"),
        file_required: true,
        dir: &dir.join("edge.d"),
        env: &|name| match name {
            "CREDENTIALS_DIRECTORY" => Some(dir.join("credentials").display().to_string()),
            _ => env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()),
        },
        service_credentials: Path::new("/does/not/exist"),
        overrides: &overrides,
    };
    let check = |config: &Config| match config.spill.bytes_max {
        0 => Err(ConfigError::of("spill.bytes_max", "must be more than 0")),
        _ => Ok(()),
    };
    let plain = |text: String| text.replace(&format!("{}/", dir.display()), "");
    let mut loaded = load(&sources, check).map_err(|error| error.renamed(plain));
    if let Ok(loaded) = &mut loaded {
        // So that tests see the names of files only.
        loaded.origins = loaded.origins.clone().renamed(plain);
    }
    std::fs::remove_dir_all(&dir).expect("clean up");
    loaded
}

fn refused(text: &str) -> String {
    load_from(&[("edge.toml", text)], &[], &[]).expect_err(text).to_string()
}

#[test]
fn later_places_win_and_each_key_knows_its_own() {
    let loaded = load_from(
        &[
            ("edge.toml", "listen = 'a'\ntoken = 'main'\n[spill]\nbytes_max = 1"),
            ("edge.d/20.toml", "listen = 'c'\n[[site.zones]]\nid = 1\nname = 'A'\n"),
            ("edge.d/10.toml", "listen = 'b'\n\n[spill]\nenabled = true"),
            ("credentials/token", "secret\n"),
        ],
        &[("SPILL_MAX", "2")],
        &[("spill.share", "0.25")],
    )
    .expect("valid");
    let zone = Zone { id: 1, name: "A".to_owned() };
    let expected = Config {
        listen: "c".to_owned(),
        token: Some("secret".to_owned()),
        spill: Spill { bytes_max: 2, enabled: true, share: 0.25, mode: Mode::Keep },
        site: Site { name: String::new(), zones: vec![zone] },
    };
    assert_eq!(loaded.config, expected);
    assert_eq!(
        shown(&loaded.config, &SCHEMA, Some(&loaded.origins)),
        r#"listen = "c"                                 # edge.d/20.toml:1
token = "(set)"                              # credential token

[site]
name = ""                                    # default

[[site.zones]] # edge.d/20.toml:2
id = 1
name = "A"

[spill]
bytes_max = 2                                # environment variable SPILL_MAX
enabled = true                               # edge.d/10.toml:4
mode = "keep"                                # default
share = 0.25                                 # command line
"#
    );
}

#[test]
fn a_credential_sets_the_key_it_is_named_as_and_its_content_is_in_no_error() {
    let loaded = load_from(&[("credentials/spill.bytes_max", "9\n")], &[("SPILL_MAX", "8")], &[]).expect("valid");
    assert_eq!(loaded.config.spill.bytes_max, 9, "it wins over the environment");
    let error = load_from(&[("credentials/tokn", "hunter2")], &[], &[]).expect_err("unknown").to_string();
    assert_eq!(error, "credential tokn: tokn: there is no key or section `tokn`; did you mean `token`?");
    for key in ["spill.bytes_max", "token.deeper", "spill", "spill.mode"] {
        let name = format!("credentials/{key}");
        let error = load_from(&[(&name, "hunter2")], &[], &[]).expect_err(key).to_string();
        assert!(error.contains(key) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn nothing_configured_is_the_default() {
    let loaded = load_from(&[], &[("LISTEN", "")], &[]).expect("valid");
    assert_eq!(loaded.config, Config::default());
}

#[test]
fn what_differs_is_named() {
    let other =
        Config { token: Some("x".to_owned()), spill: Spill { share: 0.1, ..Spill::default() }, ..Config::default() };
    assert_eq!(Vec::from_iter(changed(&Config::default(), &other)), ["spill.share", "token"]);
}

#[test]
fn an_unknown_key_is_shown_with_file_line_caret_and_the_fix() {
    assert_eq!(
        refused("listen = 'a'\n[spill]\nbyte_max = 1"),
        "edge.toml:3:1: there is no key `byte_max` in [spill]\n\
         \x20 |\n\
         3 | byte_max = ...\n\
         \x20 | ^^^^^^^^\n\
         \x20 = did you mean `bytes_max`?"
    );
    assert_eq!(
        refused("bytes_max = 1"),
        "edge.toml:1:1: there is no key or section `bytes_max`\n\
         \x20 |\n\
         1 | bytes_max = ...\n\
         \x20 | ^^^^^^^^^\n\
         \x20 = `bytes_max` belongs to [spill]"
    );
    assert_eq!(
        refused("[spill]\nlisten = 'a'"),
        "edge.toml:2:1: there is no key `listen` in [spill]\n\
         \x20 |\n\
         2 | listen = ...\n\
         \x20 | ^^^^^^\n\
         \x20 = `listen` belongs to the top of the file, before the first [section]"
    );
    assert_eq!(
        refused("[spil]\nenabled = true"),
        "edge.toml:1:2: there is no key or section `spil`\n\
         \x20 |\n\
         1 | [spil]\n\
         \x20 |  ^^^^\n\
         \x20 = did you mean `spill`?"
    );
    assert_eq!(
        refused("[spill]\nzzz = 1"),
        "edge.toml:2:1: there is no key `zzz` in [spill]\n\
         \x20 |\n\
         2 | zzz = ...\n\
         \x20 | ^^^\n\
         \x20 = there are: bytes_max, enabled, share, mode"
    );
}

#[test]
fn everybody_sees_place_problem_and_hint_but_not_the_line() {
    for (text, said) in [
        ("[spill]\nbyte_max = 7123", "edge.toml:2:1: there is no key `byte_max` in [spill]; did you mean `bytes_max`?"),
        ("tokn = 'hunter2'", "edge.toml:1:1: there is no key or section `tokn`; did you mean `token`?"),
        ("token = 12345", "edge.toml:1:9: token: must be text in quotes; for example: token = \"long\""),
        ("[spill]\nbytes_max = 0", "edge.toml:2:13: spill.bytes_max: must be more than 0; for example: bytes_max = 7"),
    ] {
        assert_eq!(load_from(&[("edge.toml", text)], &[], &[]).expect_err(text).unquoted(), said);
    }
    let error = load_from(&[], &[], &[("spil.bytes_max", "1")]).expect_err("invalid");
    assert_eq!(error.unquoted(), error.to_string(), "there is no line");
}

#[test]
fn lists_are_set_as_they_are_written_in_a_file() {
    let set = |text| load_from(&[], &[], &[("site.zones", text)]);
    let loaded = set(r#"[{id = 1, name = "A"}, {id = 2, name = "B"}]"#).expect("valid");
    assert_eq!(loaded.config.site.zones.iter().map(|zone| zone.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(set("[]").expect("valid").config.site.zones, []);
    for text in ["", "A", "A,B", "[A", "[1] 2", "7", "'A'"] {
        let error = set(text).expect_err(text).to_string();
        assert_eq!(error, "--set site.zones: must be a list in [ ], its texts in quotes");
    }
    let error = set("[{id = 1}]").expect_err("incomplete").to_string();
    assert!(error.starts_with("--set site.zones: ") && error.contains("`name`"), "{error}");
}

#[test]
fn a_wrong_type_says_what_is_wanted_and_how_it_is_written() {
    assert_eq!(
        refused("[spill]\nbytes_max = \"many\""),
        "edge.toml:2:13: spill.bytes_max: must be a whole number, not below 0, not the text \"many\"\n\
         \x20 |\n\
         2 | bytes_max = \"many\"\n\
         \x20 |             ^^^^^^\n\
         \x20 = for example: bytes_max = 7"
    );
    assert_eq!(
        refused("listen = 8080"),
        "edge.toml:1:10: listen: must be text in quotes, not 8080\n\
         \x20 |\n\
         1 | listen = 8080\n\
         \x20 |          ^^^^\n\
         \x20 = for example: listen = \"127.0.0.1:8080\""
    );
    assert_eq!(
        refused("[spill]\nmode = \"dorp\""),
        "edge.toml:2:8: spill.mode: \"dorp\" is not one of the words it can be\n\
         \x20 |\n\
         2 | mode = \"dorp\"\n\
         \x20 |        ^^^^^^\n\
         \x20 = did you mean \"drop\"? There are: keep, drop"
    );
    assert_eq!(
        refused("[[site.zones]]\nid = 1\n"),
        "edge.toml:1:1: each [[site.zones]] needs `name`\n\
         \x20 |\n\
         1 | [[site.zones]]\n\
         \x20 | ^^^^^^^^^^^^^^\n\
         \x20 = for example: name = \"Picking\""
    );
}

#[test]
fn what_is_no_toml_is_shown_with_how_it_is_written() {
    let text = refused("[spill]\nenabled = yes\n");
    assert!(text.starts_with("edge.toml:2:11: this is no TOML: "), "{text}");
    assert!(text.ends_with("2 | enabled = yes\n  |           ^^^\n  = for example: enabled = false"), "{text}");
}

#[test]
fn a_value_that_only_the_whole_shows_to_be_wrong_has_its_place_too() {
    assert_eq!(
        refused("\n[spill]\nbytes_max = 0"),
        "edge.toml:3:13: spill.bytes_max: must be more than 0\n\
         \x20 |\n\
         3 | bytes_max = 0\n\
         \x20 |             ^\n\
         \x20 = for example: bytes_max = 7"
    );
    let error = load_from(&[], &[("SPILL_MAX", "0")], &[]).expect_err("0").to_string();
    assert_eq!(
        error,
        "environment variable SPILL_MAX: spill.bytes_max: must be more than 0\n  = for example: bytes_max = 7"
    );
}

#[test]
fn a_bad_variable_and_a_bad_override_are_named() {
    let error = load_from(&[], &[("SPILL_MAX", "many")], &[]).expect_err("invalid").to_string();
    assert_eq!(
        error,
        "environment variable SPILL_MAX: spill.bytes_max: must be a whole number\n  = for example: bytes_max = 7"
    );
    let error = load_from(&[], &[("SPILL_MAX", "-1")], &[]).expect_err("invalid").to_string();
    assert!(error.contains("SPILL_MAX") && error.contains("must be a whole number, not below 0, not -1"), "{error}");
    let error = load_from(&[], &[], &[("spil.bytes_max", "1")]).expect_err("invalid").to_string();
    assert_eq!(error, "--set spil.bytes_max: there is no key or section `spil`; did you mean `spill`?");
}

#[test]
fn a_secret_is_in_no_error() {
    for text in [
        "token = 12345",
        "token = \"hunter2",
        "[spill]\n[token]\nx = 1",
        // Mistyped, so that nobody knows that it is one.
        "tokn = \"hunter2 12345\"",
        "Token = 'hunter2'",
        "token: 'hunter2'",
        "[spill]\ntoken = 'hunter2'",
        "spill = { tokn = 'hunter2' }",
        "tokn = 'hunter2",
    ] {
        let error = refused(text);
        assert!(!error.contains("hunter2") && !error.contains("12345"), "{error}");
    }
}
