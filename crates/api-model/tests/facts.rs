//! The embedded facts: complete, compilable, and the operations that follow from them.

use std::collections::BTreeSet;

use roadstead_api_model::{Operation, Service, facts};

#[test]
fn each_service_has_all_its_operations() {
    // The counts are those of botocore 1.44.5.
    let count = |service| facts(service).operations().count();
    assert_eq!(Service::ALL.map(count), [62, 23, 17]);
    let in_enum = |service| {
        Operation::ALL
            .iter()
            .filter(|op| op.service() == service)
            .count()
    };
    assert_eq!(Service::ALL.map(in_enum), [62, 23, 17]);
}

#[test]
fn every_pattern_compiles() {
    let mut patterns = 0;
    for service in Service::ALL {
        for shape in facts(service).shapes() {
            if shape.facts().pattern.is_some() {
                assert!(shape.regex().is_some(), "{service:?} {}", shape.name());
                patterns += 1;
            }
        }
    }
    assert!(patterns >= 26, "only {patterns} patterns");
}

#[test]
fn every_shape_that_is_named_exists() {
    for service in Service::ALL {
        let facts = facts(service);
        for named in facts.shapes() {
            let (name, shape) = (named.name(), named.facts());
            let parts = [&shape.element, &shape.key, &shape.value]
                .into_iter()
                .flatten();
            for part in parts.chain(shape.members.iter().map(|m| &m.shape)) {
                assert!(
                    facts.shape(part).is_some(),
                    "{service:?} {name} names {part}"
                );
            }
        }
    }
    for op in Operation::ALL {
        for shape in [op.input_shape(), op.output_shape()]
            .iter()
            .chain(op.errors())
        {
            assert!(
                facts(op.service()).shape(shape).is_some(),
                "{op:?} names {shape}"
            );
        }
    }
}

#[test]
fn targets_are_exact_and_unique() {
    let target = "AmazonEC2ContainerRegistry_V20150921.BatchDeleteImage";
    assert_eq!(
        Operation::from_target(target),
        Some(Operation::EcrBatchDeleteImage)
    );
    let target = "SpencerFrontendService.BatchDeleteImage";
    assert_eq!(
        Operation::from_target(target),
        Some(Operation::EcrPublicBatchDeleteImage)
    );
    let target = "Lightsail_20161128.GetContainerImages";
    assert_eq!(
        Operation::from_target(target),
        Some(Operation::LightsailGetContainerImages)
    );
    for wrong in [
        "",
        "BatchDeleteImage",
        "AmazonEC2ContainerRegistry_V20150921.batchDeleteImage",
        "AmazonEC2ContainerRegistry_V20150921.BatchDeleteImage ",
        "amazonec2containerregistry_v20150921.BatchDeleteImage",
        "AmazonEC2ContainerRegistry_V20150921.GetContainerImages",
        "SpencerFrontendService.GetLifecyclePolicy",
    ] {
        assert_eq!(Operation::from_target(wrong), None, "{wrong}");
    }
    let targets: BTreeSet<&str> = Operation::ALL.iter().map(|op| op.target()).collect();
    assert_eq!(targets.len(), Operation::ALL.len());
    for op in Operation::ALL {
        assert_eq!(Operation::from_target(op.target()), Some(op));
        assert_eq!(
            op.target(),
            format!("{}.{}", op.service().target_prefix(), op.name())
        );
    }
}

#[test]
fn constraint_codes_follow_decision_12() {
    assert_eq!(
        Operation::EcrCreateRepository.constraint_code(),
        "InvalidParameterException"
    );
    // Declares both; the reference lists 21 that declare only the first, one only the second.
    assert_eq!(
        Operation::EcrPutLifecyclePolicy.constraint_code(),
        "InvalidParameterException"
    );
    assert_eq!(
        Operation::EcrDeleteSigningConfiguration.constraint_code(),
        "ValidationException"
    );
    let other = "InvalidInputException";
    assert_eq!(
        Operation::LightsailGetContainerServices.constraint_code(),
        other
    );
    // The reference (section 6 of its newer part) counts 21, 1 and 40 by declared errors.
    let mut declared = [0; 3];
    for op in Operation::ALL
        .into_iter()
        .filter(|op| op.service() == Service::Ecr)
    {
        let has = |code| op.errors().contains(&code);
        match (has("InvalidParameterException"), has("ValidationException")) {
            (true, false) => declared[0] += 1,
            (false, true) => declared[1] += 1,
            (true, true) => declared[2] += 1,
            (false, false) => panic!("{op:?} declares neither"),
        }
    }
    assert_eq!(declared, [21, 1, 40]);
}

#[test]
fn only_faults_are_500() {
    assert_eq!(Service::Ecr.error_status("ServerException"), 500);
    assert_eq!(Service::EcrPublic.error_status("ServerException"), 500);
    assert_eq!(Service::Lightsail.error_status("ServiceException"), 500);
    assert_eq!(
        Service::Ecr.error_status("RepositoryNotFoundException"),
        400
    );
    assert_eq!(Service::Lightsail.error_status("NotFoundException"), 400);
    assert_eq!(Service::Ecr.error_status("NoSuchCode"), 400);
}

#[test]
fn paginators_are_kept() {
    let backfill = facts(Service::Ecr)
        .paginator("ListReplicationBackfills")
        .unwrap();
    assert_eq!(backfill.input_token, "nextToken");
    assert_eq!(backfill.limit_key.as_deref(), Some("maxResults"));
    assert_eq!(backfill.result_keys, ["backfills"]);
    assert!(facts(Service::Ecr).paginator("CreateRepository").is_none());
}

#[test]
fn the_first_offered_operations_are_offered() {
    assert!(Operation::EcrCreateRepository.is_offered());
    assert!(Operation::EcrBatchDeleteImage.is_offered());
}
