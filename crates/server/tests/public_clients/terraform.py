"""The calls of the Terraform provider's ECR Public resources, in its order and with what it asks
of each answer; the argument names the resource. Run by boto3.rs beside this file."""

import base64
import json
import re
import struct
import sys
import time
import zlib

import boto3

ecr = boto3.client("ecr-public")
ACCOUNT = "123456789012"
NAME = "tf-acc-test/repository"
NOT_FOUND = ecr.exceptions.RepositoryNotFoundException


def find_repository():
    """describe_repositories until it is there, as after a creation."""
    deadline = time.monotonic() + 60
    while True:
        try:
            found = ecr.describe_repositories(repositoryNames=[NAME])["repositories"]
        except NOT_FOUND:
            assert time.monotonic() < deadline
            time.sleep(0.5)
            continue
        assert len(found) == 1, found
        return found[0]


def read():
    """A refresh: the repository, its catalog data and its tags."""
    repository = find_repository()
    assert repository["repositoryName"] == NAME
    assert re.fullmatch(r"\d{12}", repository["registryId"]), repository
    # A global ARN: no region in it.
    arn = f"arn:aws:ecr-public::{ACCOUNT}:repository/{NAME}"
    assert repository["repositoryArn"] == arn, repository
    assert repository["repositoryUri"].endswith(f"/{NAME}"), repository
    # Any error here is fatal to the provider, right after the creation too.
    catalog = ecr.get_repository_catalog_data(
        registryId=repository["registryId"], repositoryName=NAME
    )["catalogData"]
    tags = ecr.list_tags_for_resource(resourceArn=arn)["tags"]
    return repository, catalog, {tag["Key"]: tag["Value"] for tag in tags}


def delete():
    """A forced deletion, then describe_repositories until it says that there is none."""
    repository = find_repository()
    ecr.delete_repository(
        repositoryName=NAME, registryId=repository["registryId"], force=True
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            ecr.describe_repositories(repositoryNames=[NAME])
        except NOT_FOUND:
            break
        assert time.monotonic() < deadline
        time.sleep(0.5)
    try:
        ecr.delete_repository(repositoryName=NAME, force=True)
    except NOT_FOUND:
        return
    raise AssertionError("deleted twice")


def picture(side):
    def chunk(kind, data):
        summed = kind + data
        return struct.pack(">I", len(data)) + summed + struct.pack(">I", zlib.crc32(summed))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    lines = zlib.compress((b"\0" + b"\x7f" * side) * side)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def repository():
    # TestAccECRPublicRepository_basic: nothing but a name.
    made = ecr.create_repository(repositoryName=NAME)["repository"]
    assert made["repositoryName"] == NAME
    _, catalog, tags = read()
    assert catalog == {} and tags == {}, (catalog, tags)
    delete()

    # _tags: with the creation, then changed by key.
    ecr.create_repository(repositoryName=NAME, tags=[{"Key": "key1", "Value": "value1"}])
    made, _, tags = read()
    assert tags == {"key1": "value1"}, tags
    arn = made["repositoryArn"]
    both = [{"Key": "key1", "Value": "value1updated"}, {"Key": "key2", "Value": "value2"}]
    ecr.tag_resource(resourceArn=arn, tags=both)
    assert read()[2] == {"key1": "value1updated", "key2": "value2"}
    ecr.untag_resource(resourceArn=arn, tagKeys=["key1"])
    assert read()[2] == {"key2": "value2"}
    delete()

    # _catalogDataXxx: each of them, with the values of the provider's own tests, then another.
    steps = [
        ("aboutText", "about_text_1", "about_text_2"),
        ("architectures", ["Linux"], ["Linux", "x86"]),
        ("description", "description 1", "description 2"),
        ("operatingSystems", ["ARM"], ["ARM", "x86"]),
        ("usageText", "usage text 1", "usage text 2"),
    ]
    for member, before, after in steps:
        ecr.create_repository(repositoryName=NAME, catalogData={member: before})
        _, catalog, _ = read()
        assert catalog == {member: before}, catalog
        ecr.put_repository_catalog_data(
            repositoryName=NAME, registryId=ACCOUNT, catalogData={member: after}
        )
        _, catalog, _ = read()
        # No difference is left: a second plan is empty.
        assert catalog == {member: after}, catalog
        delete()

    # _catalogDataLogoImageBlob: all the provider can see of it is an address.
    ecr.create_repository(repositoryName=NAME, catalogData={"logoImageBlob": picture(64)})
    first = read()[1]["logoUrl"]
    catalog = {"logoImageBlob": picture(128), "description": "d"}
    ecr.put_repository_catalog_data(repositoryName=NAME, catalogData=catalog)
    second = read()[1]
    assert second["logoUrl"] != first and second["description"] == "d", second

    # _forceDestroy: with images inside, and none of its resources after that.
    layer = b"a layer"
    upload = ecr.initiate_layer_upload(repositoryName=NAME)["uploadId"]
    ecr.upload_layer_part(repositoryName=NAME, uploadId=upload, partFirstByte=0,
                          partLastByte=len(layer) - 1, layerPartBlob=layer)
    delete()


def policy_of(action, principal="*"):
    statement = {
        "Sid": "testpolicy",
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
    }
    return json.dumps({"Version": "2008-10-17", "Statement": [statement]}, indent=4)


def set_policy(text):
    """Tries again on one sentence, and on that alone."""
    # The provider waits for two minutes; nothing here gets better by waiting.
    deadline = time.monotonic() + 5
    while True:
        try:
            return ecr.set_repository_policy(repositoryName=NAME, policyText=text)
        except ecr.exceptions.InvalidParameterException as error:
            message = error.response["Error"]["Message"]
            assert "Invalid repository policy provided" in message, error
            assert time.monotonic() < deadline, error
            time.sleep(1)


def policy():
    ecr.create_repository(repositoryName=NAME)
    # _basic, _updated, _iam and its update.
    both = ["ecr-public:ListImages", "ecr-public:PutImage"]
    role = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/tf-acc-test"}
    texts = [
        policy_of("ecr-public:ListImages"),
        policy_of(both),
        policy_of("ecr-public:ListImages", role),
        policy_of(both, role),
    ]
    for text in texts:
        set_policy(text)
        read_back = ecr.get_repository_policy(repositoryName=NAME)
        assert read_back["registryId"] == ACCOUNT, read_back
        assert read_back["repositoryName"] == NAME, read_back
        # Equivalent, whatever it looks like.
        assert json.loads(read_back["policyText"]) == json.loads(text), read_back
    ecr.delete_repository_policy(repositoryName=NAME, registryId=ACCOUNT)
    gone = ecr.exceptions.RepositoryPolicyNotFoundException
    for call in [ecr.get_repository_policy, ecr.delete_repository_policy]:
        try:
            call(repositoryName=NAME)
        except gone:
            continue
        raise AssertionError("not gone")
    # _disappears_repository: with its policy in place.
    set_policy(texts[0])
    delete()
    for call in [ecr.get_repository_policy, ecr.delete_repository_policy]:
        try:
            call(repositoryName=NAME)
        except NOT_FOUND:
            continue
        raise AssertionError("not gone")


def data_sources():
    # aws_ecrpublic_authorization_token
    data = ecr.get_authorization_token()["authorizationData"]
    token = data["authorizationToken"]
    decoded = base64.urlsafe_b64decode(token)
    assert decoded == base64.b64decode(token, validate=True)
    user, password = decoded.decode().split(":")
    assert user == "AWS" and password
    assert data["expiresAt"].timestamp() > time.time() + 11 * 3600
    # aws_ecrpublic_image(s): pages, and named images without any token.
    ecr.create_repository(repositoryName=NAME)
    paginator = ecr.get_paginator("describe_images")
    pages = list(paginator.paginate(repositoryName=NAME))
    assert [page["imageDetails"] for page in pages] == [[]], pages
    try:
        list(paginator.paginate(repositoryName=NAME, imageIds=[{"imageTag": "absent"}]))
    except ecr.exceptions.ImageNotFoundException:
        return
    raise AssertionError("found")


{"repository": repository, "policy": policy, "data_sources": data_sources}[sys.argv[1]]()
