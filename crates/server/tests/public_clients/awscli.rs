//! The operations through `aws ecr-public`; flags that every operation has are in
//! `awscli_flags.rs`, the example of the documentation in the seeds' suite.

use serde_json::{Value, json};

use crate::support::images::Image;
use crate::support::server::{ACCOUNT, Server};
use crate::{NAME, Registry};

#[test]
fn a_repository_from_creation_to_deletion() {
    let server = Server::start_with_public_name();
    let aws = server.aws();
    let made = aws.public(&[
        "create-repository",
        "--repository-name",
        NAME,
        "--catalog-data",
        "description=short,architectures=ARM,x86-64,operatingSystems=Linux",
        "--tags",
        "Key=team,Value=blue",
    ]);
    let registry = aws.public(&["describe-registries"])["registries"][0].clone();
    let alias = registry["aliases"][0]["name"].as_str().expect("an alias");
    let arn = format!("arn:aws:ecr-public::{ACCOUNT}:repository/{NAME}");
    let created_at = made["repository"]["createdAt"].clone();
    assert!(created_at.is_f64(), "{made}");
    let catalog = json!({
        "architectures": ["ARM", "x86-64"],
        "description": "short",
        "operatingSystems": ["Linux"],
    });
    let repository = json!({
        "createdAt": created_at,
        "registryId": ACCOUNT,
        "repositoryArn": arn,
        "repositoryName": NAME,
        "repositoryUri": format!("{}/{alias}/{NAME}", server.address),
    });
    assert_eq!(
        made,
        json!({ "catalogData": catalog, "repository": repository })
    );
    assert_eq!(
        registry,
        json!({
            "aliases": [{
                "defaultRegistryAlias": true,
                "name": alias,
                "primaryRegistryAlias": true,
                "status": "ACTIVE",
            }],
            "registryArn": format!("arn:aws:ecr-public::{ACCOUNT}:registry/{ACCOUNT}"),
            "registryId": ACCOUNT,
            "registryUri": format!("{}/{alias}", server.address),
            "verified": false,
        })
    );
    let named = ["describe-repositories", "--repository-names", NAME];
    assert_eq!(aws.public(&named), json!({ "repositories": [repository] }));
    let tags = ["list-tags-for-resource", "--resource-arn", &arn];
    let blue = json!([{ "Key": "team", "Value": "blue" }]);
    assert_eq!(aws.public(&tags), json!({ "tags": blue }));

    aws.push_publicly(NAME, &Image::new("inside", "amd64"), &["v1"]);
    let delete = ["delete-repository", "--repository-name", NAME];
    let said = aws.public_refused(&delete);
    assert!(said.contains("(RepositoryNotEmptyException)"), "{said}");
    let gone = aws.public(&[&delete[..], &["--force"]].concat());
    assert_eq!(gone, json!({ "repository": repository }));
    let said = aws.public_refused(&named);
    assert!(said.contains("(RepositoryNotFoundException)"), "{said}");
}

#[test]
fn catalog_data_and_a_logo_from_a_file() {
    let registry = Registry::start();
    let aws = &registry.aws;
    let picture = aws.file("logo.png", &crate::png::png(64, 64));
    let picture = crate::support::server::utf8(&picture);
    // JSON cannot hold a picture for the CLI: it would encode the text once more.
    let catalog = format!("description=short,aboutText=About,logoImageBlob@=fileb://{picture}");
    let put = ["put-repository-catalog-data", "--repository-name", NAME];
    let put = aws.public(&[&put[..], &["--catalog-data", &catalog]].concat());
    let url = put["catalogData"]["logoUrl"].as_str().expect("a URL");
    let expected = json!({ "catalogData": {
        "aboutText": "About", "description": "short", "logoUrl": url,
    } });
    assert_eq!(put, expected);
    let get = ["get-repository-catalog-data", "--repository-name", NAME];
    assert_eq!(aws.public(&get), expected);
    let start = format!("http://{}", registry.server.address);
    let path = url.strip_prefix(&start).expect("a link to this server");
    let status = crate::support::server::status_of(&registry.server.address, path);
    assert_eq!(status.expect("an answer"), 200);

    let named = json!({ "registryCatalogData": { "displayName": "Name" } });
    let put = ["put-registry-catalog-data", "--display-name", "Name"];
    assert_eq!(aws.public(&put), named);
    assert_eq!(aws.public(&["get-registry-catalog-data"]), named);
}

#[test]
fn tags_and_policies() {
    let registry = Registry::start();
    let aws = &registry.aws;
    let arn = format!("arn:aws:ecr-public::{ACCOUNT}:repository/{NAME}");
    let at = ["--resource-arn", arn.as_str()];
    let tag = ["--tags", "Key=a,Value=1", "Key=b,Value="];
    let tag = [&["tag-resource"], &at[..], &tag[..]].concat();
    assert_eq!(aws.public(&tag), Value::Null);
    let untag = [&["untag-resource"], &at[..], &["--tag-keys", "a"][..]].concat();
    assert_eq!(aws.public(&untag), Value::Null);
    let list = [&["list-tags-for-resource"], &at[..]].concat();
    let left = json!({ "tags": [{ "Key": "b", "Value": "" }] });
    assert_eq!(aws.public(&list), left);

    let named = |operation| vec![operation, "--repository-name", NAME];
    let text = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": ["ecr-public:DescribeImages"],
    }] })
    .to_string();
    let file = aws.file("policy.json", text.as_bytes());
    let file = format!("file://{}", crate::support::server::utf8(&file));
    let set = [named("set-repository-policy"), vec!["--policy-text", &file]].concat();
    let set = aws.public(&set);
    assert_eq!(set["registryId"], ACCOUNT);
    assert_eq!(set["repositoryName"], NAME);
    let stored: Value = serde_json::from_str(set["policyText"].as_str().expect("a text"))
        .expect("a policy in JSON");
    let given: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(stored, given);
    assert_eq!(aws.public(&named("get-repository-policy")), set);
    assert_eq!(aws.public(&named("delete-repository-policy")), set);
    let said = aws.public_refused(&named("get-repository-policy"));
    assert!(
        said.contains("(RepositoryPolicyNotFoundException)"),
        "{said}"
    );
}

#[test]
fn images_and_their_tags() {
    let registry = Registry::start();
    let aws = &registry.aws;
    let image = Image::new("described", "amd64");
    aws.push_publicly(NAME, &image, &["v1", "v2"]);
    let described = aws.public(&["describe-images", "--repository-name", NAME]);
    let detail = &described["imageDetails"][0];
    let size: usize = image.blobs().iter().map(|blob| blob.bytes.len()).sum();
    assert_eq!(
        described,
        json!({ "imageDetails": [{
            "artifactMediaType": "application/vnd.oci.image.config.v1+json",
            "imageDigest": image.digest(),
            "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
            "imagePushedAt": detail["imagePushedAt"],
            "imageSizeInBytes": size,
            "imageTags": ["v1", "v2"],
            "registryId": ACCOUNT,
            "repositoryName": NAME,
        }] })
    );
    let again = aws.run(&[
        "ecr-public",
        "put-image",
        "--repository-name",
        NAME,
        "--image-tag",
        "v1",
        "--image-manifest",
        std::str::from_utf8(&image.manifest.bytes).expect("text"),
    ]);
    let said = again.expect_failure();
    assert!(said.contains("(ImageAlreadyExistsException)"), "{said}");
    let pages = |args: &[&str]| {
        let head = ["describe-image-tags", "--repository-name", NAME];
        let answer = aws.public(&[&head, args].concat());
        let rows = answer["imageTagDetails"].as_array().expect("rows").iter();
        let tags: Vec<String> = rows
            .map(|row| row["imageTag"].as_str().expect("a tag").to_owned())
            .collect();
        (tags, answer["NextToken"].clone())
    };
    let (mut all, token) = pages(&["--page-size", "1"]);
    all.sort();
    assert_eq!((all, token), (vec!["v1".into(), "v2".into()], Value::Null));
    let (first, token) = pages(&["--page-size", "1", "--max-items", "1"]);
    let token = token.as_str().expect("more to come").to_owned();
    let (second, token) = pages(&["--page-size", "1", "--starting-token", &token]);
    let mut both = [first, second].concat();
    both.sort();
    assert_eq!((both, token), (vec!["v1".into(), "v2".into()], Value::Null));
}

#[test]
fn the_password_for_a_login() {
    let registry = Registry::start();
    let password = registry.aws.public_login_password();
    assert!(!password.is_empty());
    assert!(!password.contains([':', ' ', '\n']), "{password}");
    let token = registry.aws.public(&["get-authorization-token"]);
    let data = &token["authorizationData"];
    assert!(data["expiresAt"].is_f64(), "{token}");
    assert!(data["authorizationToken"].is_string(), "{token}");
    // Its region does not matter, as long as it is not strict.
    let far = ["ecr-public", "get-login-password", "--region", "eu-west-1"];
    let far = registry.aws.run(&far).expect_success();
    assert!(!far.trim().is_empty());
}

#[test]
fn strictly_one_region_is_asked() {
    let server = Server::start_with_settings(&[("ROADSTEAD_STRICT_ECR", "true")]);
    let aws = server.aws();
    aws.public(&["describe-repositories"]);
    let said = aws.public_refused(&["describe-repositories", "--region", "eu-west-1"]);
    let start = "An error occurred (UnsupportedCommandException) when calling the \
                 DescribeRepositories operation: ";
    assert!(said.starts_with(start), "{said}");
}
