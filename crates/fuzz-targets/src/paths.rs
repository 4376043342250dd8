//! Paths of `/v2`: the door, the endpoint, percent-encoding and the query.

use roadstead_domain::ids::{AccountId, Region};
use roadstead_http::Settings;
use roadstead_http::oci::door::Door;
use roadstead_http::oci::percent::{decode, encode};
use roadstead_http::oci::query::Query;
use roadstead_http::oci::route::Route;

/// A path names one endpoint of one repository, however it is written, and nothing of it walks.
pub fn check(data: &[u8]) {
    let Some(text) = crate::text(data) else {
        return;
    };
    assert_eq!(decode(&encode(text)).as_deref(), Some(text));
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let query = Query::parse(Some(query));
    for name in ["n", "last", "digest", "mount", "from", "artifactType"] {
        let all = query.all(name);
        assert_eq!(query.get(name), all.first().copied());
        assert_eq!(query.only(name).is_some(), all.len() == 1);
    }
    for path in [path.to_owned(), format!("/v2/{path}")] {
        if let Ok(route) = Route::parse(&path) {
            is_stable(&route);
        }
        // No door reads more of a path than there is.
        for authority in ["registry.example", "public.ecr.aws"] {
            let door = Door::of(&settings(), authority, &path);
            assert!(door.route.len() <= path.len() + "/v2/".len());
            if let Ok(route) = Route::parse(&door.route) {
                is_stable(&route);
            }
        }
    }
}

fn settings() -> Settings {
    let account = AccountId::parse("123456789012").expect("an account");
    Settings::new(account, Region::parse("us-east-1").expect("a region"))
}

/// Printed anew it is the same, and its name is one that authorisation can be asked about.
fn is_stable(route: &Route) {
    let printed = match route {
        Route::Base => "/v2/".to_owned(),
        Route::Catalog => "/v2/_catalog".to_owned(),
        Route::Tags(name) => format!("/v2/{name}/tags/list"),
        Route::Manifest(name, reference) => format!("/v2/{name}/manifests/{}", encode(reference)),
        Route::Blob(name, digest) => format!("/v2/{name}/blobs/{}", encode(digest)),
        Route::Uploads(name) => format!("/v2/{name}/blobs/uploads/"),
        Route::Upload(name, id) => format!("/v2/{name}/blobs/uploads/{}", encode(id)),
        Route::Referrers(name, digest) => format!("/v2/{name}/referrers/{}", encode(digest)),
    };
    assert_eq!(Route::parse(&printed).as_ref(), Ok(route), "{printed}");
    assert!(!route.methods().is_empty());
    if let Some(name) = route.name() {
        let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        assert!(name.as_str().split('/').all(is_plain), "{name}");
    }
}
