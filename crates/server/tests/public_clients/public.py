"""ECR Public by boto3; the argument names the part. Run by boto3.rs beside this file."""

import hashlib
import json
import sys

import boto3
from botocore.exceptions import ClientError

ecr = boto3.client("ecr-public")
NAME = "team/app"


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def send_layer(content):
    upload = ecr.initiate_layer_upload(repositoryName=NAME)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=NAME,
        uploadId=upload,
        partFirstByte=0,
        partLastByte=len(content) - 1,
        layerPartBlob=content,
    )
    return upload


def push_layer(content, media_type):
    digest = digest_of(content)
    upload = send_layer(content)
    ecr.complete_layer_upload(repositoryName=NAME, uploadId=upload, layerDigests=[digest])
    return {"digest": digest, "size": len(content), "mediaType": media_type}


def manifest_of(config, layer, n=0):
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": [layer],
            "annotations": {"n": str(n)},
        }
    )


def push(count):
    """Images that differ in an annotation alone, tagged t000, t001, ..."""
    config = push_layer(b"{}", "application/vnd.oci.image.config.v1+json")
    layer = push_layer(b"a layer", "application/vnd.oci.image.layer.v1.tar+gzip")
    manifests = [manifest_of(config, layer, n) for n in range(count)]
    for n, manifest in enumerate(manifests):
        ecr.put_image(repositoryName=NAME, imageManifest=manifest, imageTag=f"t{n:03}")
    return manifests


def refused(kind, call, **arguments):
    """The call raises the class that the client has for this exception."""
    try:
        call(**arguments)
    except getattr(ecr.exceptions, kind) as error:
        assert error.response["Error"]["Code"] == kind, error.response
        assert error.response["Error"]["Message"], error.response
        return error.response
    raise AssertionError(f"not refused: {kind}")


def walk(operation, key, member, expected, **arguments):
    paginator = ecr.get_paginator(operation)
    for size in [None, 7, 100, 1000]:
        config = {"PageSize": size} if size else {}
        pages = list(paginator.paginate(PaginationConfig=config, **arguments))
        assert len(pages) == -(-len(expected) // (size or 100)), (operation, size, len(pages))
        assert "nextToken" not in pages[-1]
        found = sorted(row[member] for page in pages for row in page[key])
        assert found == sorted(expected), (operation, size)
    whole = paginator.paginate(**arguments).build_full_result()
    assert len(whole[key]) == len(expected)
    some = paginator.paginate(PaginationConfig={"MaxItems": 5, "PageSize": 3}, **arguments)
    first = some.build_full_result()
    assert len(first[key]) == 5, first
    rest = paginator.paginate(
        PaginationConfig={"StartingToken": first["NextToken"], "PageSize": 50}, **arguments
    ).build_full_result()
    found = sorted(row[member] for row in first[key] + rest[key])
    assert found == sorted(expected), operation


def paginators():
    names = [NAME] + [f"repository-{n:03}" for n in range(104)]
    for name in names:
        ecr.create_repository(repositoryName=name)
    walk("describe_repositories", "repositories", "repositoryName", names)
    manifests = push(105)
    digests = [digest_of(manifest.encode()) for manifest in manifests]
    walk("describe_images", "imageDetails", "imageDigest", digests, repositoryName=NAME)
    tags = [f"t{n:03}" for n in range(105)]
    walk("describe_image_tags", "imageTagDetails", "imageTag", tags, repositoryName=NAME)
    registries = ecr.get_paginator("describe_registries").paginate().build_full_result()
    assert len(registries["registries"]) == 1 and "NextToken" not in registries, registries


def exceptions():
    named = {"repositoryName": NAME}
    refused("RepositoryNotFoundException", ecr.describe_images, **named)
    refused("RepositoryNotFoundException", ecr.describe_repositories, repositoryNames=[NAME])
    made = ecr.create_repository(**named)
    assert made["catalogData"] == {}, made
    assert made["repository"]["createdAt"].tzinfo, made
    arn = made["repository"]["repositoryArn"]
    refused("RepositoryAlreadyExistsException", ecr.create_repository, **named)
    refused("InvalidParameterException", ecr.create_repository, repositoryName="Upper/Case")
    refused("RepositoryPolicyNotFoundException", ecr.get_repository_policy, **named)
    refused("RepositoryPolicyNotFoundException", ecr.delete_repository_policy, **named)
    policy = {"policyText": "not json", **named}
    answer = refused("InvalidParameterException", ecr.set_repository_policy, **policy)
    assert "Invalid repository policy provided" in answer["Error"]["Message"], answer
    too_many = [{"Key": f"k{n}", "Value": "v"} for n in range(51)]
    refused("TooManyTagsException", ecr.tag_resource, resourceArn=arn, tags=too_many)
    reserved = [{"Key": "aws:k", "Value": "v"}]
    refused("InvalidTagParameterException", ecr.tag_resource, resourceArn=arn, tags=reserved)
    refused("RegistryNotFoundException", ecr.put_image, registryId="z9z9z9z9",
            imageManifest="{}", **named)
    push(1)
    refused("RepositoryNotEmptyException", ecr.delete_repository, **named)
    absent = [{"imageTag": "absent"}]
    refused("ImageNotFoundException", ecr.describe_images, imageIds=absent, **named)
    # No class of this service's: the client makes do with the general one.
    key = boto3.Session().get_credentials().access_key
    wrong = {"aws_access_key_id": key, "aws_secret_access_key": "wrong"}
    far = boto3.client("ecr-public", **wrong)
    try:
        far.describe_registries()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidSignatureException", error
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    else:
        raise AssertionError("not refused")


def pushes():
    ecr.create_repository(repositoryName=NAME)
    named = {"repositoryName": NAME}
    content = b"another layer"
    digest = digest_of(content)
    upload = ecr.initiate_layer_upload(**named)["uploadId"]
    complete = {"uploadId": upload, "layerDigests": [digest], **named}
    refused("EmptyUploadException", ecr.complete_layer_upload, **complete)
    gap = {"uploadId": upload, "partFirstByte": 9, "partLastByte": 9, "layerPartBlob": b"x"}
    answer = refused("InvalidLayerPartException", ecr.upload_layer_part, **gap, **named)
    assert answer["registryId"] == "123456789012", answer
    assert answer["repositoryName"] == NAME and answer["uploadId"] == upload, answer
    other = digest_of(b"other")
    refused("InvalidLayerException", ecr.complete_layer_upload, uploadId=send_layer(content),
            layerDigests=[other], **named)
    ecr.complete_layer_upload(uploadId=send_layer(content), layerDigests=[digest], **named)
    refused("LayerAlreadyExistsException", ecr.complete_layer_upload,
            uploadId=send_layer(content), layerDigests=[digest], **named)
    unknown = "00000000-0000-4000-8000-000000000000"
    refused("UploadNotFoundException", ecr.complete_layer_upload, uploadId=unknown,
            layerDigests=[digest], **named)
    small = ecr.initiate_layer_upload(**named)["uploadId"]
    for first in range(2):
        ecr.upload_layer_part(uploadId=small, partFirstByte=first, partLastByte=first,
                              layerPartBlob=b"x", **named)
    refused("LayerPartTooSmallException", ecr.complete_layer_upload, uploadId=small,
            layerDigests=[digest_of(b"xx")], **named)

    missing = {"mediaType": "application/x", "digest": other, "size": 5}
    manifest = manifest_of(missing, missing)
    refused("LayersNotFoundException", ecr.put_image, imageManifest=manifest, **named)
    manifest = push(1)[0]
    refused("ImageAlreadyExistsException", ecr.put_image, imageManifest=manifest,
            imageTag="t000", **named)
    refused("ImageDigestDoesNotMatchException", ecr.put_image, imageManifest=manifest,
            imageTag="t", imageDigest=other, **named)
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": other,
                "size": 5,
            }
        ],
    }
    refused("ReferencedImagesNotFoundException", ecr.put_image,
            imageManifest=json.dumps(index), **named)
    checked = ecr.batch_check_layer_availability(layerDigests=[digest, other, "bad"], **named)
    found = [layer["layerAvailability"] for layer in checked["layers"]]
    assert found == ["AVAILABLE", "UNAVAILABLE"], checked
    assert checked["failures"][0]["failureCode"] == "InvalidLayerDigest", checked


{"paginators": paginators, "exceptions": exceptions, "pushes": pushes}[sys.argv[1]]()
