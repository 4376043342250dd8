//! The constraint texts that clients have captured from AWS, request by request.
//! Every expected text comes from the project's ECR reference, section 1.4, or follows its grammar.

use roadstead_api_model::{Operation, check, first_reported, message};
use serde_json::{Value, json};

/// The message that `operation` gives for `body`.
fn said(operation: Operation, body: &Value) -> String {
    let refusals = check(operation.service(), operation.input_shape(), body);
    let first = first_reported(&refusals).unwrap_or_else(|| panic!("{body} is accepted"));
    message(operation.service(), first)
}

/// Asserts each row: operation, request, path, constraint text.
fn assert_rows(rows: &[(Operation, Value, &str, &str)]) {
    for (operation, body, at, text) in rows {
        let expected =
            format!("Invalid parameter at '{at}' failed to satisfy constraint: '{text}'");
        assert_eq!(said(*operation, body), expected, "{operation:?} {body}");
    }
}

const NAME_TEXT: &str = r"must satisfy regular expression '[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*'";

#[test]
fn repository_name_is_said_without_member() {
    let create = Operation::EcrCreateRepository;
    let rows = [
        "a___b", "a_-b", "_a", "a_", "Team/App", "a//b", "/ab", "ab/", "ab\n",
    ]
    .map(|name| {
        (
            create,
            json!({ "repositoryName": name }),
            "repositoryName",
            NAME_TEXT,
        )
    });
    assert_rows(&rows);
    let too_short = "must have length greater than or equal to 2";
    let too_long = "must have length less than or equal to 256";
    assert_rows(&[
        (
            create,
            json!({ "repositoryName": "a" }),
            "repositoryName",
            too_short,
        ),
        (
            create,
            json!({ "repositoryName": "a".repeat(257) }),
            "repositoryName",
            too_long,
        ),
        (create, json!({}), "repositoryName", "must not be null"),
        (
            create,
            json!({ "repositoryName": null }),
            "repositoryName",
            "must not be null",
        ),
    ]);
}

#[test]
fn legal_repository_names_pass() {
    let operation = Operation::EcrCreateRepository;
    for name in ["ab", "a__b", "a--b", "a---b", "a.b/c-d", &"a".repeat(256)] {
        let body = json!({ "repositoryName": name });
        assert_eq!(
            check(operation.service(), operation.input_shape(), &body),
            [],
            "{name}"
        );
    }
}

#[test]
fn bounds_are_said_with_member() {
    let ids = vec![json!({ "imageTag": "a" }); 101];
    let delete = json!({ "repositoryName": "ab", "imageIds": ids });
    let describe = json!({ "maxResults": 1001 });
    let none = json!({ "maxResults": 0 });
    assert_rows(&[
        (
            Operation::EcrBatchDeleteImage,
            delete,
            "imageIds",
            "Member must have length less than or equal to 100",
        ),
        (
            Operation::EcrDescribeRepositories,
            describe,
            "maxResults",
            "Member must have value less than or equal to 1000",
        ),
        (
            Operation::EcrDescribeRepositories,
            none,
            "maxResults",
            "Member must have value greater than or equal to 1",
        ),
    ]);
}

#[test]
fn mutability_lists_its_values_in_live_order() {
    let put = Operation::EcrPutImageTagMutability;
    let wrong = json!({ "repositoryName": "ab", "imageTagMutability": "SOMETIMES" });
    let set = "Member must satisfy enum value set: [IMMUTABLE, MUTABLE, MUTABLE_WITH_EXCLUSION, IMMUTABLE_WITH_EXCLUSION]";
    assert_rows(&[
        (put, wrong, "imageTagMutability", set),
        (
            put,
            json!({ "repositoryName": "ab" }),
            "imageTagMutability",
            "Member must not be null",
        ),
    ]);
}

#[test]
fn list_paths_count_from_one_in_lower_case() {
    let tags = json!([{ "Key": "a", "Value": "b" }, { "Value": "b" }]);
    let body = json!({ "repositoryName": "ab", "tags": tags });
    let text = "Member must not be null";
    assert_rows(&[(
        Operation::EcrCreateRepository,
        body,
        "tags.2.member.key",
        text,
    )]);
}

#[test]
fn a_list_of_strings_answers_for_its_elements() {
    let text = "Member must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]{12}]";
    let body = json!({ "registryIds": ["123456789012", "12345"] });
    assert_rows(&[(
        Operation::EcrGetAuthorizationToken,
        body,
        "registryIds",
        text,
    )]);
    // All rules of the element are listed, whichever is broken: greatest, least, expression.
    let text = "Member must satisfy constraint: [Member must have length less than or equal to 1000, Member must have length greater than or equal to 0]";
    let body = json!({ "repositoryName": "ab", "layerDigests": ["a".repeat(1001)] });
    assert_rows(&[(
        Operation::EcrBatchCheckLayerAvailability,
        body,
        "layerDigests",
        text,
    )]);
    let body = json!({ "registryIds": [] });
    let text = "Member must have length greater than or equal to 1";
    assert_rows(&[(
        Operation::EcrGetAuthorizationToken,
        body,
        "registryIds",
        text,
    )]);
}

#[test]
fn a_map_answers_for_its_keys_and_values() {
    let deploy = Operation::LightsailCreateContainerServiceDeployment;
    let body = json!({ "serviceName": "web", "containers": { "App": {} } });
    let text = "Map keys must satisfy constraint: [Member must have length less than or equal to 53, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: ^[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9]$]";
    let ports =
        json!({ "serviceName": "web", "containers": { "app": { "ports": { "80": "UDP?" } } } });
    let set = "Map value must satisfy constraint: [Member must satisfy enum value set: [HTTP, HTTPS, TCP, UDP]]";
    assert_rows(&[
        (deploy, body, "containers", text),
        (deploy, ports, "containers.app.member.ports", set),
    ]);
}

#[test]
fn an_empty_tag_key_is_left_to_the_handler() {
    let body = json!({ "repositoryName": "ab", "tags": [{ "Key": "", "Value": "" }] });
    let create = Operation::EcrCreateRepository;
    assert_eq!(check(create.service(), create.input_shape(), &body), []);
}

#[test]
fn a_pushed_tag_has_a_pattern_that_the_model_lacks() {
    let body = json!({ "repositoryName": "ab", "imageManifest": "{}", "imageTag": "a b" });
    let text = "must satisfy regular expression '[a-zA-Z0-9-_.]+'";
    let good = json!({ "repositoryName": "ab", "imageManifest": "{}", "imageTag": "-v1.A_b" });
    let operation = Operation::EcrPutImage;
    assert_eq!(
        check(operation.service(), operation.input_shape(), &good),
        []
    );
    assert_rows(&[(Operation::EcrPutImage, body, "imageTag", text)]);
}

#[test]
fn public_names_are_said_with_member() {
    let body = json!({ "repositoryName": "A" .repeat(3) });
    let text = "Member must satisfy regular expression pattern: (?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*";
    assert_rows(&[(
        Operation::EcrPublicCreateRepository,
        body,
        "repositoryName",
        text,
    )]);
    let body = json!({ "repositoryName": "a".repeat(206) });
    let text = "Member must have length less than or equal to 205";
    assert_rows(&[(
        Operation::EcrPublicCreateRepository,
        body,
        "repositoryName",
        text,
    )]);
}

#[test]
fn wrong_types_name_the_place_and_come_first() {
    let create = Operation::EcrCreateRepository;
    let texts = [
        (json!([]), "The request body must be an object"),
        (json!(null), "The request body must be an object"),
        (
            json!({ "repositoryName": 5 }),
            "The value at 'repositoryName' must be a string",
        ),
        // The name breaks its length too; deserialising comes before validating.
        (
            json!({ "repositoryName": "a", "tags": [{ "Key": true, "Value": "" }] }),
            "The value at 'tags.1.member.key' must be a string",
        ),
        (
            json!({ "repositoryName": "ab", "imageScanningConfiguration": { "scanOnPush": "true" } }),
            "The value at 'imageScanningConfiguration.scanOnPush' must be a boolean",
        ),
        (
            json!({ "repositoryName": "ab", "tags": {} }),
            "The value at 'tags' must be a list",
        ),
    ];
    for (body, text) in texts {
        assert_eq!(said(create, &body), text, "{body}");
    }
}
