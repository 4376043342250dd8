"""Lightsail by boto3; the first argument names the part. Run by main.rs beside this file."""

import base64
import datetime
import hashlib
import json
import pathlib
import sys
import time
import urllib.request

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

lightsail = boto3.client("lightsail")
UNKNOWN = "sha256:" + hashlib.sha256(b"never pushed").hexdigest()


def create(name="web"):
    lightsail.create_container_service(serviceName=name, power="nano", scale=1)
    wait(name, "READY")


def service(name="web"):
    return lightsail.get_container_services(serviceName=name)["containerServices"][0]


def wait(name, state):
    deadline = time.monotonic() + 30
    while service(name)["state"] != state:
        assert time.monotonic() < deadline, service(name)
        time.sleep(0.05)


def refused(exception, call, **arguments):
    """The error of a call that is refused with this very class of the client's."""
    try:
        call(**arguments)
    except ClientError as error:
        assert type(error) is exception, (type(error), error.response)
        metadata = error.response["ResponseMetadata"]
        assert metadata["HTTPStatusCode"] == 400, metadata
        assert len(metadata["RequestId"]) == 36, metadata
        name = exception.__name__
        assert error.response["Error"]["Code"] == name, error.response
        assert metadata["HTTPHeaders"]["x-amzn-errortype"] == name, metadata
        return error.response
    raise AssertionError(f"not refused: {exception}")


def exceptions():
    missing = lightsail.exceptions.NotFoundException
    invalid = lightsail.exceptions.InvalidInputException
    unknown = {"serviceName": "nope"}
    said = refused(missing, lightsail.get_container_services, **unknown)
    assert said["code"] == "DoesNotExist", said
    assert said["Error"]["Message"] == 'The container service "nope" does not exist.', said
    create()
    for call, arguments in [
        (lightsail.delete_container_service, unknown),
        (lightsail.update_container_service, unknown),
        (lightsail.get_container_images, unknown),
        (lightsail.get_container_service_deployments, unknown),
        (lightsail.get_container_log, {**unknown, "containerName": "app"}),
        (
            lightsail.register_container_image,
            {"serviceName": "web", "label": "www", "digest": UNKNOWN},
        ),
        (
            lightsail.delete_container_image,
            {"serviceName": "web", "image": ":web.www.1"},
        ),
        (lightsail.tag_resource, {"resourceName": "nope", "tags": [{"key": "a"}]}),
    ]:
        assert refused(missing, call, **arguments)["code"] == "DoesNotExist"
    for call, arguments in [
        (
            lightsail.create_container_service,
            {"serviceName": "web", "power": "nano", "scale": 1},
        ),
        (
            lightsail.create_container_service,
            {"serviceName": "my_app", "power": "nano", "scale": 1},
        ),
        (
            lightsail.register_container_image,
            {"serviceName": "web", "label": "my_app", "digest": UNKNOWN},
        ),
        (
            lightsail.register_container_image,
            {"serviceName": "web", "label": "www", "digest": "latest"},
        ),
        (
            lightsail.delete_container_image,
            {"serviceName": "web", "image": "nginx:latest"},
        ),
        (lightsail.create_container_service_deployment, {"serviceName": "web"}),
    ]:
        code = refused(invalid, call, **arguments)["code"]
        assert code in ("InvalidParameterValue", "UnsupportedOperation"), code


def texts():
    invalid = lightsail.exceptions.InvalidInputException
    said = refused(invalid, lightsail.create_container_service_registry_login)
    assert said["Error"]["Message"] == (
        "You must create a container service before retrieving container registry login"
        " credentials"
    ), said
    create()
    pattern = "^(?:[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9])$"
    deploy = lightsail.create_container_service_deployment

    def told(containers):
        said = refused(invalid, deploy, serviceName="web", containers=containers)
        return said["Error"]["Message"]

    message = told({"backend_api": {"image": "nginx"}})
    assert message == f'Container name "backend_api" does not match pattern: {pattern}'
    message = told({"frontend-ui": {"image": ":web.my-react-ui.LATEST"}})
    assert message == (
        'Container "frontend-ui" has invalid image ":web.my-react-ui.LATEST".'
        ' Example of valid image: ":web.frontend-ui.123".'
    )
    deploy(serviceName="web", containers={"app": {"image": "nginx"}})
    assert told({"app": {"image": "nginx"}}) == (
        'Sorry, deployment 1 is in progress for service "web".'
        " Please wait for it to complete before trying again."
    )


def answers():
    """What botocore makes of the answers: times, floats, lists that are never absent."""
    made = lightsail.create_container_service(serviceName="web", power="nano", scale=1)
    made = made["containerService"]
    age = datetime.datetime.now(datetime.timezone.utc) - made["createdAt"]
    assert abs(age.total_seconds()) < 60, made
    assert made["tags"] == [] and made["isDisabled"] is False and made["principalArn"] == ""
    wait("web", "READY")
    powers = lightsail.get_container_service_powers()["powers"]
    assert [power["powerId"] for power in powers] == [
        f"{name}-1" for name in ["nano", "micro", "small", "medium", "large", "xlarge"]
    ]
    nano = {
        "powerId": "nano-1",
        "price": 7.0,
        "cpuCount": 0.25,
        "ramSizeInGb": 0.5,
        "name": "nano",
        "isActive": True,
    }
    assert powers[0] == nano and all(type(one["price"]) is float for one in powers), powers
    metadata = lightsail.get_container_api_metadata()["metadata"]
    assert metadata == [{"name": "lightsailctlVersion", "value": "1.0.8"}], metadata
    login = lightsail.create_container_service_registry_login()["registryLogin"]
    ends = login["expiresAt"] - datetime.datetime.now(datetime.timezone.utc)
    assert 12 * 3600 - 60 < ends.total_seconds() <= 12 * 3600, login
    now = datetime.datetime.now(datetime.timezone.utc)
    metrics = lightsail.get_container_service_metric_data(
        serviceName="web",
        metricName="CPUUtilization",
        startTime=now - datetime.timedelta(hours=1),
        endTime=now,
        period=300,
        statistics=["Average"],
    )
    assert metrics["metricName"] == "CPUUtilization" and metrics["metricData"] == [], metrics
    names = [region["name"] for region in lightsail.get_regions()["regions"]]
    assert boto3.session.Session().region_name in names, names
    empty = lightsail.delete_container_service(serviceName="web")
    assert set(empty) == {"ResponseMetadata"}, empty


def credentials():
    client = boto3.client("lightsail", config=Config(signature_version=UNSIGNED))
    refused(client.exceptions.UnauthenticatedException, client.get_container_services)
    wrong = boto3.client(
        "lightsail", aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="wrong"
    )
    refused(wrong.exceptions.AccessDeniedException, wrong.get_container_services)


def push(folder, digest):
    create()
    login = lightsail.create_container_service_registry_login()["registryLogin"]
    pair = f"{login['username']}:{login['password']}"
    authorization = "Basic " + base64.b64encode(pair.encode()).decode()

    def put(method, path, body, media_type):
        headers = {"Authorization": authorization, "Content-Type": media_type}
        address = f"http://{login['registry']}/v2/sr/{path}"
        ask = urllib.request.Request(address, data=body, headers=headers, method=method)
        assert urllib.request.urlopen(ask).status == 201

    manifest = (pathlib.Path(folder) / digest.removeprefix("sha256:")).read_bytes()
    parsed = json.loads(manifest)
    for blob in [parsed["config"], *parsed["layers"]]:
        name = blob["digest"]
        content = (pathlib.Path(folder) / name.removeprefix("sha256:")).read_bytes()
        put("POST", f"blobs/uploads/?digest={name}", content, "application/octet-stream")
    put("PUT", "manifests/throw-away", manifest, parsed["mediaType"])
    register = lightsail.register_container_image
    for version in [1, 2]:
        image = register(serviceName="web", label="www", digest=digest)["containerImage"]
        assert image["image"] == f":web.www.{version}" and image["digest"] == digest, image
    listed = lightsail.get_container_images(serviceName="web")["containerImages"]
    # As continuous integration finds the newest.
    assert [one["image"] for one in listed] == [":web.www.2", ":web.www.1"], listed
    lightsail.create_container_service_deployment(
        serviceName="web",
        containers={"app": {"image": listed[0]["image"], "ports": {"80": "HTTP"}}},
        publicEndpoint={"containerName": "app", "containerPort": 80},
    )
    wait("web", "RUNNING")
    events = lightsail.get_container_log(serviceName="web", containerName="app")["logEvents"]
    assert events[0]["message"] == "[deployment:1] Creating your deployment", events
    assert type(events[0]["createdAt"]) is datetime.datetime, events
    invalid = lightsail.exceptions.InvalidInputException
    delete = lightsail.delete_container_image
    refused(invalid, delete, serviceName="web", image=":web.www.2")
    empty = delete(serviceName="web", image=":web.www.1")
    assert set(empty) == {"ResponseMetadata"}, empty
    missing = lightsail.exceptions.NotFoundException
    refused(missing, delete, serviceName="web", image=":web.www.1")


parts = {
    "exceptions": exceptions,
    "texts": texts,
    "answers": answers,
    "credentials": credentials,
    "push": push,
}
parts[sys.argv[1]](*sys.argv[2:])
