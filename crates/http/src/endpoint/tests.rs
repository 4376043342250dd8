//! Which hosts are endpoints.

use roadstead_domain::ids::AccountId;

use super::*;

fn settings(suffix: Option<&str>) -> Settings {
    Settings {
        container_url_suffix: suffix.map(str::to_owned),
        ..Settings::new(
            AccountId::parse("000000000000").unwrap(),
            Region::parse("us-east-1").unwrap(),
        )
    }
}

#[test]
fn hosts_that_are_endpoints() {
    let yes = Some(Endpoint {
        service: ServiceName::parse("web").unwrap(),
        part: AddressPart::parse("a1b2c3d4e5f6g").unwrap(),
        region: Region::parse("us-east-1").unwrap(),
    });
    let rows = [
        (None, "web.a1b2c3d4e5f6g.us-east-1.cs.localhost:5080", true),
        (None, "web.a1b2c3d4e5f6g.us-east-1.cs.localhost", true),
        (None, "Web.A1b2c3d4e5f6g.us-east-1.CS.example.com.", true),
        (None, "web.a1b2c3d4e5f6g.us-east-1.example.com", false),
        (None, "web.a1b2c3d4e5f6.us-east-1.cs.localhost", false),
        (None, "a1b2c3d4e5f6g.us-east-1.cs.localhost", false),
        (None, "web.a1b2c3d4e5f6g.no_where.cs.localhost", false),
        (None, "web_.a1b2c3d4e5f6g.us-east-1.cs.localhost", false),
        (None, "123456789012.dkr.ecr.us-east-1.localhost:5080", false),
        (None, "localhost:5080", false),
        (None, "[::1]:5080", false),
        (None, "", false),
        (
            Some("apps.example"),
            "web.a1b2c3d4e5f6g.us-east-1.apps.example",
            true,
        ),
        (
            Some("apps.example:8443"),
            "web.a1b2c3d4e5f6g.us-east-1.apps.example:1",
            true,
        ),
        (
            Some("apps.example"),
            "web.a1b2c3d4e5f6g.us-east-1.cs.localhost",
            false,
        ),
        (
            Some("apps.example"),
            "web.a1b2c3d4e5f6g.us-east-1.x.apps.example",
            false,
        ),
    ];
    for (suffix, host, expected) in rows {
        let found = endpoint_of(&settings(suffix), host);
        assert_eq!(found, yes.clone().filter(|_| expected), "{host}");
    }
}
