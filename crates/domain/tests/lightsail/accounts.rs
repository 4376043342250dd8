//! Powers, scale, addresses, domains and access to private registries (sections 5.1, 5.4, 5.5).

use std::collections::{BTreeMap, BTreeSet};

use roadstead_domain::ids::{AccountId, ContainerServiceId, Region};
use roadstead_domain::lightsail::addresses::{
    AddressPart, RoleId, private_domain_name, service_arn, service_role_arn, url,
};
use roadstead_domain::lightsail::domain_names::{
    Certificates, PublicDomainNames, plan_domain_names,
};
use roadstead_domain::lightsail::power::{Power, Scale};
use roadstead_domain::lightsail::registry_access::{PrivateImage, RegistryAccess};
use roadstead_domain::lightsail::tags::{ServiceTags, tag, untag};
use roadstead_domain::reference::Reference;

use crate::fixtures::web;

#[test]
fn powers() {
    let rows: Vec<_> = Power::ALL
        .into_iter()
        .map(|power| {
            let size = power.size();
            let numbers = (size.cpu_count, size.ram_gb, size.price_usd);
            (power.as_str(), power.id(), numbers)
        })
        .collect();
    let row = |name, id: &str, numbers| (name, id.to_owned(), numbers);
    assert_eq!(
        rows,
        [
            row("nano", "nano-1", (0.25, 0.5, 7.0)),
            row("micro", "micro-1", (0.25, 1.0, 10.0)),
            row("small", "small-1", (0.5, 1.0, 15.0)),
            row("medium", "medium-1", (1.0, 2.0, 40.0)),
            row("large", "large-1", (2.0, 4.0, 80.0)),
            row("xlarge", "xlarge-1", (4.0, 8.0, 160.0)),
        ]
    );
    assert_eq!(Power::parse("medium"), Ok(Power::Medium));
    for bad in ["", "Nano", "nano-1", "2xlarge"] {
        assert!(Power::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn scales() {
    for (nodes, is_good) in [
        (1, true),
        (20, true),
        (0, false),
        (21, false),
        (-1, false),
        (257, false),
        (i64::MAX, false),
    ] {
        assert_eq!(Scale::parse(nodes).is_ok(), is_good, "{nodes}");
    }
}

#[test]
fn addresses() {
    let region = Region::parse("us-west-2").unwrap();
    let account = AccountId::parse("123456789012").unwrap();
    let part = AddressPart::parse("a1b2c3d4e5f6g").unwrap();
    assert_eq!(
        url("https", &web(), &part, &region, "cs.amazonlightsail.com"),
        "https://web.a1b2c3d4e5f6g.us-west-2.cs.amazonlightsail.com/"
    );
    assert_eq!(private_domain_name(&web()), "web.service.local");
    assert_eq!(
        service_arn(
            &region,
            &account,
            &ContainerServiceId::from_random(0x0b1c2d3e_4f50_4a6b_8c7d_9e0f1a2b3c4d)
        ),
        "arn:aws:lightsail:us-west-2:123456789012:ContainerService/0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d"
    );
    let role = "0123456789abcdefghijklmnopqrstuv0123456789abcdefghij";
    assert_eq!(
        service_role_arn(
            &AccountId::parse("210987654321").unwrap(),
            &region,
            &web(),
            &RoleId::parse(role).unwrap()
        ),
        format!("arn:aws:iam::210987654321:role/amazon/lightsail/us-west-2/containers/web/{role}")
    );
}

#[test]
fn drawn_ids_are_well_formed() {
    for byte in 0..=255 {
        let role = RoleId::from_random([byte; 52]);
        assert_eq!(RoleId::parse(role.as_str()), Ok(role));
        let part = AddressPart::from_random([byte; 13]);
        assert_eq!(AddressPart::parse(part.as_str()), Ok(part));
    }
    assert!(RoleId::parse(&"w".repeat(52)).is_err());
    assert!(AddressPart::parse("short").is_err());
}

fn domains(rows: &[(&str, &[&str])]) -> PublicDomainNames {
    rows.iter()
        .map(|(certificate, domains)| {
            let domains = domains.iter().map(ToString::to_string).collect();
            (certificate.to_string(), domains)
        })
        .collect()
}

fn certificates(rows: &[(&str, &[&str])]) -> Certificates {
    let issued = domains(rows)
        .into_iter()
        .map(|(name, domains)| (name, domains.into_iter().collect()))
        .collect();
    Certificates {
        issued,
        taken: BTreeSet::from(["taken.example".to_owned()]),
    }
}

#[test]
fn unknown_certificates() {
    let none = Certificates::default();
    let empty = BTreeMap::new();
    let refusal = plan_domain_names(&empty, &domains(&[("nope", &["a.com"])]), &none).unwrap_err();
    assert!(refusal.to_string().contains("do not exist"), "{refusal}");
    assert_eq!(refusal.kind().exception(), "InvalidInputException");
    assert!(plan_domain_names(&empty, &domains(&[("nope", &[])]), &none).is_err());
    assert_eq!(
        plan_domain_names(&empty, &empty, &none),
        Ok(BTreeMap::new())
    );
}

#[test]
fn domains_are_attached_detached_and_left_alone() {
    let have = certificates(&[("one", &["a.com", "b.com"]), ("two", &["c.com"])]);
    let present = domains(&[("one", &["a.com"])]);
    let plan = |request: &[(&str, &[&str])]| plan_domain_names(&present, &domains(request), &have);
    assert_eq!(plan(&[]), Ok(present.clone()));
    assert_eq!(
        plan(&[("two", &["c.com"])]),
        Ok(domains(&[("one", &["a.com"]), ("two", &["c.com"])]))
    );
    assert_eq!(
        plan(&[("one", &["b.com"])]),
        Ok(domains(&[("one", &["b.com"])]))
    );
    assert_eq!(plan(&[("one", &[])]), Ok(BTreeMap::new()));
    assert!(plan(&[("two", &["a.com"])]).is_err(), "not covered");
    assert!(plan(&[("one", &["a.com", "a.com"])]).is_err(), "twice");
}

#[test]
fn domain_limits() {
    let all: &[&str] = &["a.com", "b.com", "c.com", "d.com", "e.com", "taken.example"];
    let have = certificates(&[
        ("c1", all),
        ("c2", all),
        ("c3", all),
        ("c4", all),
        ("c5", all),
    ]);
    let plan = |request: &[(&str, &[&str])]| {
        plan_domain_names(&BTreeMap::new(), &domains(request), &have).is_ok()
    };
    assert!(plan(&[("c1", &all[..4])]));
    assert!(!plan(&[("c1", &all[..5])]));
    assert!(!plan(&[("c1", &["taken.example"])]));
    let four: [(&str, &[&str]); 4] = [
        ("c1", &["a.com"]),
        ("c2", &["b.com"]),
        ("c3", &["c.com"]),
        ("c4", &["d.com"]),
    ];
    assert!(plan(&four));
    assert!(!plan(&[&four[..], &[("c5", &["e.com"])]].concat()));
}

#[test]
fn registry_access_makes_and_forgets_its_role() {
    let region = Region::parse("us-west-2").unwrap();
    let lightsail = AccountId::parse("210987654321").unwrap();
    let (first, second) = (RoleId::from_random([1; 52]), RoleId::from_random([2; 52]));
    let arn = |access: &RegistryAccess| access.principal_arn(&lightsail, &region, &web());

    let off = RegistryAccess::default();
    assert!(!off.is_active());
    assert_eq!(arn(&off), "");
    assert_eq!(off.after(None, first.clone()), off);
    assert_eq!(off.after(Some(false), first.clone()), off);
    let on = off.after(Some(true), first.clone());
    assert!(on.is_active());
    assert_eq!(
        arn(&on),
        format!(
            "arn:aws:iam::210987654321:role/amazon/lightsail/us-west-2/containers/web/private-repo-access/{first}"
        )
    );
    assert_eq!(on.after(None, second.clone()), on);
    assert_eq!(on.after(Some(true), second.clone()), on);
    let again = on
        .after(Some(false), second.clone())
        .after(Some(true), second.clone());
    assert_eq!(again.role, Some(second));
}

#[test]
fn private_images_are_pulled_from_the_own_region_only() {
    let suffix = "registry.example";
    let here = Region::parse("us-west-2").unwrap();
    let on = RegistryAccess {
        role: Some(RoleId::from_random([1; 52])),
    };
    let digest = format!("sha256:{}", "a".repeat(64));
    for rest in ["", ":v1", &format!("@{digest}"), &format!(":v1@{digest}")] {
        let text = format!("123456789012.dkr.ecr.us-west-2.{suffix}/team/app{rest}");
        let image = PrivateImage::recognise(&text).unwrap();
        assert_eq!(image.account.as_str(), "123456789012");
        assert_eq!(image.repository.as_str(), "team/app");
        assert_eq!(&*image.rest, rest);
        let expected = match rest {
            "" => "latest",
            ":v1" => "v1",
            _ => &digest,
        };
        assert_eq!(image.reference(), Reference::parse(expected).ok());
        assert!(image.is_in_reach(&here, &on));
        assert!(!image.is_in_reach(&here, &RegistryAccess::default()));
        assert!(!image.is_in_reach(&Region::parse("us-east-1").unwrap(), &on));
    }
    for other in [
        "nginx",
        "team/app:v1",
        "123.dkr.ecr.us-west-2.registry.example/app",
        "123456789012.dkr.ecr.us-west-2./app",
        "123456789012.dkr.ecr.us-west-2/app",
        "123456789012.dkr.ecr.us-west-2.registry.example/",
        "123456789012.dkr.ecr.US_WEST.registry.example/app",
    ] {
        assert_eq!(PrivateImage::recognise(other), None, "{other}");
    }
}

#[test]
fn tags_with_and_without_values() {
    let row = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
    let present = ServiceTags::from([row("env", Some("dev")), row("only-key", None)]);
    let changed = tag(&present, &[row("env", None), row("team", Some(""))]).unwrap();
    assert_eq!(
        changed,
        ServiceTags::from([
            row("env", None),
            row("only-key", None),
            row("team", Some(""))
        ])
    );
    assert_eq!(
        untag(&present, &["only-key".into(), "nothing".into()]),
        ServiceTags::from([row("env", Some("dev"))])
    );
    let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
    for bad in [
        row("", None),
        row("aws:x", None),
        row("a\nb", None),
        row(&long_key, None),
        row("k", Some(&long_value)),
    ] {
        assert!(tag(&present, &[bad]).is_err());
    }
    assert!(tag(&present, &[row("k", None), row("k", None)]).is_err());
    let many: Vec<_> = (0..48).map(|n| row(&format!("k{n}"), None)).collect();
    let full = tag(&present, &many).unwrap();
    assert!(tag(&full, &[row("k0", Some("again"))]).is_ok());
    assert!(tag(&full, &[row("new", None)]).is_err());
}
