//! The published AWS signing test suite (see `vectors/README.md`), both forms, from both sides:
//! our verifier takes every signed request, our signer makes every signature, and a change of
//! any byte is refused.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use roadstead_sigv4::{
    Credentials, Form, PathStyle, Policy, Signing, parse, presign, sign_header, signing_key,
};
use support::{KEY_ID, Owned, SECRET, SIGNED_AT};

/// One case of the suite.
struct Case {
    dir: PathBuf,
    name: String,
    path_style: PathStyle,
    sign_body: bool,
    omit_token: bool,
    token: Option<String>,
}

impl Case {
    fn load(dir: PathBuf) -> Option<Case> {
        let context = fs::read_to_string(dir.join("context.json")).ok()?;
        let context: serde_json::Value = serde_json::from_str(&context).unwrap();
        let credentials = &context["credentials"];
        assert_eq!(credentials["access_key_id"], "AKIDEXAMPLE");
        assert_eq!(credentials["secret_access_key"], SECRET);
        assert_eq!(context["timestamp"], "2015-08-30T12:36:00Z");
        assert_eq!(context["expiration_in_seconds"], 3600);
        assert_eq!(
            (&context["region"], &context["service"]),
            (&"us-east-1".into(), &"service".into())
        );
        Some(Case {
            name: dir.file_name().unwrap().to_str().unwrap().to_owned(),
            path_style: match context["normalize"].as_bool().unwrap() {
                true => PathStyle::Normalized,
                false => PathStyle::AsIs,
            },
            sign_body: context["sign_body"].as_bool().unwrap(),
            omit_token: context["omit_session_token"].as_bool().unwrap_or(false),
            token: credentials["token"].as_str().map(str::to_owned),
            dir,
        })
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.dir.join(file)).unwrap()
    }

    fn request(&self, file: &str) -> Owned {
        Owned::from_text(&self.text(file))
    }

    fn policy(&self) -> Policy<'static> {
        Policy {
            path_style: self.path_style,
            ..Policy::new("service")
        }
    }

    fn signing(&self) -> Signing<'static> {
        Signing {
            region: "us-east-1",
            service: "service",
            signed_at_secs: SIGNED_AT,
            path_style: self.path_style,
        }
    }

    fn credentials(&self) -> Credentials<'_> {
        Credentials {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: SECRET,
            session_token: self.token.as_deref().filter(|_| !self.omit_token),
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn cases() -> Vec<Case> {
    let entries = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let cases: Vec<Case> = entries.filter_map(Case::load).collect();
    assert_eq!(cases.len(), 38, "the suite has 38 cases with a context");
    cases
}

const FORMS: [(&str, Form); 2] = [("header", Form::Header), ("query", Form::Query)];

#[test]
fn accepts_every_signed_request() {
    for case in cases() {
        for (prefix, form) in FORMS {
            let owned = case.request(&format!("{prefix}-signed-request.txt"));
            let presented = owned
                .accept(&case.policy(), SECRET, SIGNED_AT)
                .unwrap_or_else(|error| panic!("{} {prefix}: {error}", case.name));
            assert_eq!(presented.form(), form);
            assert_eq!(presented.access_key_id(), "AKIDEXAMPLE");
            assert_eq!(presented.signed_at_secs(), SIGNED_AT);
            assert_eq!(
                presented.expires_secs(),
                (form == Form::Query).then_some(3600)
            );
            assert_eq!(
                presented.session_token(),
                case.token.as_deref(),
                "{} {prefix}",
                case.name
            );
            let other = format!("{SECRET}x");
            assert!(
                owned.accept(&case.policy(), &other, SIGNED_AT).is_err(),
                "wrong secret"
            );
        }
    }
}

#[test]
fn writes_the_published_intermediate_strings() {
    for case in cases() {
        for (prefix, form) in FORMS {
            if case.omit_token && form == Form::Query {
                continue; // The first candidate keeps the token in; acceptance is tested above.
            }
            let owned = case.request(&format!("{prefix}-signed-request.txt"));
            owned.with(|request| {
                let presented = parse(request, &case.policy(), SIGNED_AT).unwrap();
                let canonical = String::from_utf8(presented.canonical_request(request)).unwrap();
                let expected = case.text(&format!("{prefix}-canonical-request.txt"));
                assert_eq!(canonical, expected, "{} {prefix}", case.name);
                let expected = case.text(&format!("{prefix}-string-to-sign.txt"));
                assert_eq!(
                    presented.string_to_sign(request),
                    expected,
                    "{} {prefix}",
                    case.name
                );
            });
        }
    }
}

#[test]
fn signs_as_published() {
    for case in cases() {
        let mut owned = case.request("request.txt");
        // The published request is one encoding away from the wire in the cases with a space.
        owned.path = case.request("header-signed-request.txt").path;
        let query = owned.with(|r| presign(r, &case.credentials(), &case.signing(), 3600));
        let signature = query.rsplit_once("X-Amz-Signature=").unwrap().1;
        assert_eq!(
            signature,
            case.text("query-signature.txt").trim(),
            "{} query",
            case.name
        );

        if case.sign_body {
            let hash = owned.with(|r| hex::encode(r.body_sha256));
            owned.set("x-amz-content-sha256", Some(&hash));
        }
        let added = owned.with(|r| sign_header(r, &case.credentials(), &case.signing()));
        let expected = case
            .request("header-signed-request.txt")
            .header("authorization");
        assert_eq!(
            added.last().unwrap(),
            &("authorization", expected),
            "{} header",
            case.name
        );
    }
}

/// The two older cases have no context; their files give the canonical request, but for the
/// date of the first, which its own files contradict.
#[test]
fn double_encoding_as_published() {
    let accept = |name: &str, key: (&str, &str), policy: Policy<'_>, now: i64| {
        let dir = folder().join(name);
        let owned =
            Owned::from_text(&fs::read_to_string(dir.join("header-signed-request.txt")).unwrap());
        owned.with(|request| {
            let presented = parse(request, &policy, now).unwrap();
            assert_eq!(presented.access_key_id(), key.0);
            let canonical = String::from_utf8(presented.canonical_request(request)).unwrap();
            let expected = fs::read_to_string(dir.join("header-canonical-request.txt")).unwrap();
            let same_date = canonical.replace("20150830T123600Z", "20210511T154045Z");
            assert_eq!(same_date, expected);
            if let Ok(expected) = fs::read_to_string(dir.join("header-string-to-sign.txt")) {
                assert_eq!(presented.string_to_sign(request), expected.trim_end());
            }
            presented.verify(request, &signing_key(key.1, presented.scope()))
        })
    };
    let test_key = ("ANOTREAL", "notrealrnrELgWzOk3IfjzDKtFBhDby");
    let service = Policy::new("service");
    assert_eq!(
        accept("double-encode-path", test_key, service, SIGNED_AT),
        Ok(())
    );
    let lambda = Policy::new("lambda");
    assert_eq!(
        accept("double-url-encode", (KEY_ID, SECRET), lambda, 1_620_747_645),
        Ok(())
    );
}

/// Every byte that the signature covers, replaced by one that no vector holds there.
#[test]
fn refuses_any_changed_byte() {
    for case in cases() {
        for (prefix, form) in FORMS {
            let good = case.request(&format!("{prefix}-signed-request.txt"));
            let mut changed = 0;
            // Where dot segments cancel the names before them, the path says nothing else.
            let cancelled = case.path_style == PathStyle::Normalized && good.path.contains("/..");
            for bad in changes(&good, case.omit_token, form) {
                if cancelled && bad.path != good.path {
                    continue;
                }
                let refused = bad.accept(&case.policy(), SECRET, SIGNED_AT);
                assert!(refused.is_err(), "{} {prefix} accepted {bad:?}", case.name);
                changed += 1;
            }
            assert!(
                changed > 100,
                "{} {prefix}: only {changed} changes",
                case.name
            );
        }
    }
}

fn changes(good: &Owned, token_is_unsigned: bool, form: Form) -> Vec<Owned> {
    let mut all = Vec::new();
    for method in replaced(&good.method) {
        all.push(Owned {
            method,
            ..good.clone()
        });
    }
    for path in replaced(&good.path) {
        all.push(Owned {
            path,
            ..good.clone()
        });
    }
    // In the query form of post-sts-header-after the token's value is not signed.
    let token = good
        .query
        .find("X-Amz-Security-Token=")
        .filter(|_| token_is_unsigned);
    let token = token.map(|at| at + 21..good.query.rfind("&X-Amz-Signature").unwrap());
    for (at, query) in positions(&good.query).zip(replaced(&good.query)) {
        if !token.as_ref().is_some_and(|range| range.contains(&at)) {
            all.push(Owned {
                query,
                ..good.clone()
            });
        }
    }
    for (line, (name, value)) in good.headers.iter().enumerate() {
        if token_is_unsigned && form == Form::Header && name == "X-Amz-Security-Token" {
            continue;
        }
        for (at, old) in value.iter().enumerate() {
            let mut bad = good.clone();
            bad.headers[line].1[at] = if *old == b'Q' { b'R' } else { b'Q' };
            all.push(bad);
        }
        let mut bad = good.clone();
        bad.headers[line].0.push('q');
        all.push(bad);
    }
    for at in 0..good.body.len() {
        let mut bad = good.clone();
        bad.body[at] ^= 1;
        all.push(bad);
    }
    let mut bad = good.clone();
    bad.body.push(b' ');
    all.push(bad);
    all
}

fn positions(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.char_indices().map(|(at, _)| at)
}

/// The text with each character in turn replaced.
fn replaced(text: &str) -> Vec<String> {
    let with = |(at, old): (usize, char)| {
        let new = if old == 'Q' { 'R' } else { 'Q' };
        format!("{}{new}{}", &text[..at], &text[at + old.len_utf8()..])
    };
    text.char_indices().map(with).collect()
}
