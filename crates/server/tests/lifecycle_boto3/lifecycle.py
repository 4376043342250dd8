"""Lifecycle policies by boto3; the argument names the part. Run by main.rs beside this file."""

import hashlib
import json
import sys
import time

import boto3
from botocore.exceptions import ClientError

ecr = boto3.client("ecr")
NAME = "app"


def rule(priority, selection, action=None):
    action = action or {"type": "expire"}
    return {"rulePriority": priority, "selection": selection, "action": action}


def newest(count):
    return {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count}


def push_layer(content):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    upload = ecr.initiate_layer_upload(repositoryName=NAME)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=NAME,
        uploadId=upload,
        partFirstByte=0,
        partLastByte=len(content) - 1,
        layerPartBlob=content,
    )
    ecr.complete_layer_upload(repositoryName=NAME, uploadId=upload, layerDigests=[digest])
    return {"digest": digest, "size": len(content)}


def push(count):
    """Images that differ in an annotation alone, tagged t0, t1, ..."""
    ecr.create_repository(repositoryName=NAME)
    config = push_layer(b'{"architecture":"amd64","os":"linux"}')
    layer = push_layer(b"a layer")
    config["mediaType"] = "application/vnd.oci.image.config.v1+json"
    layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip"
    manifests = []
    for n in range(count):
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": [layer],
            "annotations": {"n": str(n)},
        }
        manifests.append(json.dumps(manifest))
        ecr.put_image(repositoryName=NAME, imageManifest=manifests[-1], imageTag=f"t{n}")
    return manifests


def refused(code, call, **arguments):
    try:
        call(repositoryName=NAME, **arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"not refused: {code}")


def previews():
    push(230)
    text = json.dumps({"rules": [rule(1, newest(5))]}, indent=2)
    started = ecr.start_lifecycle_policy_preview(repositoryName=NAME, lifecyclePolicyText=text)
    assert started["status"] == "IN_PROGRESS", started
    # Every 5 s, 20 times at most; FAILED ends it.
    ecr.get_waiter("lifecycle_policy_preview_complete").wait(repositoryName=NAME)
    paginator = ecr.get_paginator("get_lifecycle_policy_preview")
    for size in [None, 7, 100]:
        config = {"PageSize": size} if size else {}
        pages = list(paginator.paginate(repositoryName=NAME, PaginationConfig=config))
        assert len(pages) == -(-225 // (size or 100)), len(pages)
        whole = paginator.paginate(repositoryName=NAME, PaginationConfig=config).build_full_result()
        tags = [tag for result in whole["previewResults"] for tag in result["imageTags"]]
        # The oldest first.
        assert tags == [f"t{n}" for n in range(225)], tags
        for page in pages:
            assert page["status"] == "COMPLETE" and page["lifecyclePolicyText"] == text
            assert page["summary"] == {"expiringImageTotalCount": 225}, page["summary"]
    ids = [{"imageTag": "t3"}, {"imageTag": "t229"}]
    named = ecr.get_lifecycle_policy_preview(repositoryName=NAME, imageIds=ids)
    assert [result["imageTags"] for result in named["previewResults"]] == [["t3"]], named
    assert named["previewResults"][0]["action"] == {"type": "EXPIRE"}, named


def normalised(text):
    """As the provider compares: rules by priority, lists of tags sorted, empty ones dropped."""
    policy = json.loads(text)
    policy["rules"].sort(key=lambda one: one["rulePriority"])
    for one in policy["rules"]:
        for name in ["tagPrefixList", "tagPatternList"]:
            tags = one["selection"].pop(name, None)
            if tags:
                one["selection"][name] = sorted(tags)
    return policy


def create(policy):
    text = json.dumps(policy, separators=(",", ":"), sort_keys=True)
    ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=text)
    for _ in range(20):
        try:
            return text, ecr.get_lifecycle_policy(repositoryName=NAME)
        except ecr.exceptions.LifecyclePolicyNotFoundException:
            time.sleep(0.5)
    raise AssertionError("the policy does not appear")


def terraform():
    ecr.create_repository(repositoryName=NAME)
    old = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days"}
    policies = [
        {"rules": [rule(2, newest(30)), rule(1, {**old, "countNumber": 14})]},
        {
            "rules": [
                {
                    **rule(5, {**newest(9), "tagStatus": "tagged", "tagPrefixList": ["v", "a"]}),
                    "description": "keep <nine> & \u5c11\u3057",
                },
                rule(7, {**newest(3), "tagStatus": "tagged", "tagPatternList": ["p*r", "b*"]}),
                rule(
                    9,
                    {
                        "tagStatus": "any",
                        "countType": "sinceImagePulled",
                        "countUnit": "days",
                        "countNumber": 60,
                    },
                    {"type": "transition", "targetStorageClass": "archive"},
                ),
                rule(
                    10,
                    {
                        "tagStatus": "any",
                        "storageClass": "archive",
                        "countType": "sinceImageTransitioned",
                        "countUnit": "days",
                        "countNumber": 90,
                    },
                ),
            ]
        },
    ]
    for policy in policies:
        text, read = create(policy)
        assert read["repositoryName"] == NAME and read["registryId"]
        # No difference: a second plan is empty.
        assert normalised(read["lifecyclePolicyText"]) == normalised(text), read
        # Any change makes a new one: the old one is deleted first.
        deleted = ecr.delete_lifecycle_policy(repositoryName=NAME)
        assert deleted["lifecyclePolicyText"] == read["lifecyclePolicyText"]
    not_found = "LifecyclePolicyNotFoundException"
    refused(not_found, ecr.get_lifecycle_policy)
    # Deleting what somebody else deleted: the provider takes either for gone.
    refused(not_found, ecr.delete_lifecycle_policy)
    ecr.delete_repository(repositoryName=NAME)
    refused("RepositoryNotFoundException", ecr.get_lifecycle_policy)


def archive():
    manifest = push(2)[0]
    image = {"imageTag": "t0"}

    def move(target):
        return ecr.update_image_storage_class(
            repositoryName=NAME, imageId=image, targetStorageClass=target
        )["imageStatus"]

    def tags(**arguments):
        listed = ecr.list_images(repositoryName=NAME, **arguments)["imageIds"]
        return sorted(one["imageTag"] for one in listed)

    assert move("ARCHIVE") == "ARCHIVED"
    assert tags() == ["t1"]
    assert tags(filter={"imageStatus": "ARCHIVED"}) == ["t0"]
    got = ecr.batch_get_image(repositoryName=NAME, imageIds=[image])
    assert got["failures"][0]["failureCode"] == "ImageInaccessible", got
    ecr.put_image(repositoryName=NAME, imageManifest=manifest, imageTag="t0")
    assert tags() == ["t0", "t1"]
    assert move("ARCHIVE") == "ARCHIVED"
    assert move("STANDARD") == "ACTIVATING"
    deadline = time.monotonic() + 60
    while tags() != ["t0", "t1"]:
        assert time.monotonic() < deadline, tags()
    refused("ImageNotFoundException", ecr.update_image_storage_class,
            imageId={"imageTag": "nope"}, targetStorageClass="ARCHIVE")


{"previews": previews, "terraform": terraform, "archive": archive}[sys.argv[1]]()
