"""What the Terraform provider does with aws_lightsail_container_service and
aws_lightsail_container_service_deployment_version; the argument names the part. Run by main.rs
beside this file.

The provider asks every five seconds and fails on any state that it does not know of: this asks
all the time, so that no state is missed.
"""

import sys
import threading
import time

import boto3
from botocore.exceptions import ClientError

lightsail = boto3.client("lightsail")
NAME = "tf-acc-test"
TIMEOUT = 30
AGAIN = "Please wait for it to complete before trying again"
LATER = "Please try again in a few minutes"


def find(name=NAME):
    """None where the provider takes the service for gone."""
    try:
        found = lightsail.get_container_services(serviceName=name)["containerServices"]
    except lightsail.exceptions.NotFoundException:
        return None
    # An empty list is an error of its own there: too few results.
    assert len(found) == 1, found
    return found[0]


def wait(read, pending, target):
    """Every state but the last must be pending, the last a target; gives what was read last."""
    deadline = time.monotonic() + TIMEOUT
    seen = []
    while True:
        one = read()
        state = one["state"] if one else None
        if not seen or seen[-1] != state:
            seen.append(state)
        if state in target:
            return one
        assert state in pending, f"unexpected state {state} after {seen}"
        assert time.monotonic() < deadline, f"timeout after {seen}"


def wait_created():
    return wait(find, ["PENDING"], ["READY"])


def wait_updated():
    return wait(find, ["UPDATING"], ["READY", "RUNNING"])


def wait_disabled():
    return wait(find, ["UPDATING"], ["DISABLED"])


def retry(call, **arguments):
    """As the provider repeats what is refused only for now."""
    deadline = time.monotonic() + TIMEOUT
    refusals = 0
    while True:
        try:
            return call(**arguments), refusals
        except ClientError as error:
            text = str(error)
            is_invalid = isinstance(error, lightsail.exceptions.InvalidInputException)
            assert AGAIN in text or (is_invalid and LATER in text), text
            assert time.monotonic() < deadline, text
            refusals += 1
        time.sleep(0.05)


def create(**arguments):
    """Create, without is_disabled, which is none of its arguments."""
    arguments = {"serviceName": NAME, "power": "nano", "scale": 1, **arguments}
    lightsail.create_container_service(**arguments)
    return wait_created()


def update(is_disabled=False, power="nano", scale=1):
    """Everything that is no tag goes along, changed or not."""
    lightsail.update_container_service(
        serviceName=NAME, isDisabled=is_disabled, power=power, scale=scale
    )
    return wait_disabled() if is_disabled else wait_updated()


def delete():
    lightsail.delete_container_service(serviceName=NAME)
    deadline = time.monotonic() + TIMEOUT
    while (found := find()) is not None:
        assert found["state"] == "DELETING", found
        assert time.monotonic() < deadline, found
    # A second one takes the refusal for success.
    try:
        lightsail.delete_container_service(serviceName=NAME)
    except lightsail.exceptions.NotFoundException:
        return
    raise AssertionError("deleted twice")


def check(found, power="nano", scale=1, is_disabled=False, state="READY", tags=()):
    """The attributes that its tests ask for."""
    assert found["containerServiceName"] == NAME
    assert found["power"] == power and found["scale"] == scale
    assert found["isDisabled"] is is_disabled and found["state"] == state, found
    assert found["resourceType"] == "ContainerService"
    for name in ["arn", "powerId", "principalArn", "privateDomainName", "url"]:
        assert found[name], name
    assert found["location"]["availabilityZone"], found
    assert found["createdAt"]
    # Nothing to plan: what is not configured must not come back.
    assert not found.get("publicDomainNames"), found
    role = found["privateRegistryAccess"]["ecrImagePullerRole"]
    assert role["isActive"] is False and role["principalArn"] == "", role
    assert {one["key"]: one.get("value", "") for one in found["tags"]} == dict(tags), found


def service():
    check(create())
    check(update(power="micro", scale=2), power="micro", scale=2)
    check(update(power="micro", scale=2, is_disabled=True), "micro", 2, True, "DISABLED")
    check(update(power="micro", scale=2), power="micro", scale=2)
    # An apply without any difference.
    check(update(power="micro", scale=2), power="micro", scale=2)
    delete()
    # The same name again, at once.
    first = create()
    delete()
    assert create()["arn"] != first["arn"]


def disabled():
    create()
    # Create goes on with a second call that names nothing else.
    lightsail.update_container_service(serviceName=NAME, isDisabled=True)
    check(wait_disabled(), is_disabled=True, state="DISABLED")
    check(update())
    delete()


def tags():
    check(create(tags=[{"key": "key1", "value": "value1"}]), tags={"key1": "value1"})
    # By name, without an ARN.
    lightsail.tag_resource(
        resourceName=NAME,
        tags=[{"key": "key1", "value": "value1updated"}, {"key": "key2", "value": "value2"}],
    )
    check(find(), tags={"key1": "value1updated", "key2": "value2"})
    lightsail.untag_resource(resourceName=NAME, tagKeys=["key1"])
    check(find(), tags={"key2": "value2"})
    # A key without value has an empty one in the configuration.
    lightsail.tag_resource(resourceName=NAME, tags=[{"key": "only"}])
    check(find(), tags={"key2": "value2", "only": ""})
    delete()


def container(command=None, environment=None, ports=None):
    one = {"image": "amazon/amazon-lightsail:hello-world"}
    for name, value in [("command", command), ("environment", environment), ("ports", ports)]:
        # Empty ones are left out.
        if value:
            one[name] = value
    return one


def find_deployment(version):
    found = lightsail.get_container_service_deployments(serviceName=NAME)["deployments"]
    for one in found:
        if one["version"] == version:
            return one
    return None


def deploy(containers, endpoint=None, target="ACTIVE"):
    arguments = {"serviceName": NAME, "containers": containers}
    if endpoint:
        arguments["publicEndpoint"] = endpoint
    made = lightsail.create_container_service_deployment(**arguments)
    # Its absence is the provider's "empty output".
    version = made["containerService"]["nextDeployment"]["version"]
    return wait(lambda: find_deployment(version), ["ACTIVATING"], [target])


def deployments():
    create()
    checked = {
        "healthyThreshold": 2,
        "intervalSeconds": 5,
        "path": "/",
        "successCodes": "200-499",
        "timeoutSeconds": 2,
        "unhealthyThreshold": 2,
    }
    steps = [
        ({"test1": container()}, None),
        ({"test1": container(["test"])}, None),
        ({"test1": container(["test"], {"K1": "v1", "K2": "v2"})}, None),
        ({"test1": container(ports={"80": "HTTP", "90": "TCP"}), "test2": container()}, None),
        (
            {"test1": container(ports={"80": "HTTP"})},
            {"containerName": "test1", "containerPort": 80, "healthCheck": checked},
        ),
        (
            {"test1": container(ports={"80": "HTTP"})},
            {
                "containerName": "test1",
                "containerPort": 80,
                "healthCheck": {**checked, "successCodes": "200-299", "path": "/up"},
            },
        ),
    ]
    for number, (containers, endpoint) in enumerate(steps, 1):
        made = deploy(containers, endpoint)
        assert made["version"] == number and made["createdAt"], made
        read = {}
        for name, one in made["containers"].items():
            read[name] = container(one["command"], one["environment"], one["ports"])
            assert one["image"] == read[name]["image"], one
        # No difference: a second plan is empty.
        assert read == containers, made
        assert made.get("publicEndpoint") == endpoint, made
        assert wait(find, ["DEPLOYING"], ["RUNNING"])["currentDeployment"] == made
    found = lightsail.get_container_service_deployments(serviceName=NAME)["deployments"]
    states = [(one["version"], one["state"]) for one in found]
    old = [(number, "INACTIVE") for number in range(len(steps) - 1, 0, -1)]
    assert states == [(len(steps), "ACTIVE"), *old], states
    # The service goes on as one that runs.
    check(update(scale=2), scale=2, state="RUNNING")
    check(update(scale=2, is_disabled=True), scale=2, is_disabled=True, state="DISABLED")
    check(update(scale=2), scale=2, state="RUNNING")
    delete()


def retries():
    """Applies that meet: each is refused until the other is done, and only with known words."""
    create()
    lightsail.create_container_service_deployment(
        serviceName=NAME, containers={"test1": container()}
    )
    _, refusals = retry(
        lightsail.update_container_service, serviceName=NAME, power="nano", scale=2
    )
    assert refusals > 0
    made, refusals = retry(
        lightsail.create_container_service_deployment,
        serviceName=NAME,
        containers={"test1": container()},
    )
    assert refusals > 0
    assert made["containerService"]["nextDeployment"]["version"] == 2, made
    wait(find, ["DEPLOYING"], ["RUNNING"])
    versions = []

    def one():
        made, _ = retry(
            lightsail.create_container_service_deployment,
            serviceName=NAME,
            containers={"test1": container()},
        )
        versions.append(made["containerService"]["nextDeployment"]["version"])

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(versions) == [3, 4, 5, 6], versions
    wait(find, ["DEPLOYING"], ["RUNNING"])


def refused(text, call, **arguments):
    try:
        call(**arguments)
    except lightsail.exceptions.InvalidInputException as error:
        assert text in str(error), error
        # Tried again, it would never end.
        assert AGAIN not in str(error) and LATER not in str(error), error
        return
    raise AssertionError(f"not refused: {text}")


def refusals():
    domains = {"NonExsitingCertificate": ["nonexisting1.com", "nonexisting2.com"]}
    refused(
        "do not exist",
        lightsail.create_container_service,
        serviceName=NAME,
        power="nano",
        scale=1,
        publicDomainNames=domains,
    )
    create()
    refused(
        "do not exist",
        lightsail.update_container_service,
        serviceName=NAME,
        isDisabled=False,
        power="nano",
        scale=1,
        publicDomainNames=domains,
    )
    check(find())
    update(is_disabled=True)
    refused(
        "disabled and cannot be deployed to",
        lightsail.create_container_service_deployment,
        serviceName=NAME,
        containers={"test1": container()},
    )
    found = lightsail.get_container_service_deployments(serviceName=NAME)["deployments"]
    assert found == [], found


def failure():
    create()
    made = deploy({"test1": container()}, target="FAILED")
    assert made["version"] == 1, made
    found = wait(find, ["DEPLOYING"], ["READY"])
    assert "currentDeployment" not in found and "nextDeployment" not in found, found
    assert deploy({"test1": container()}, target="FAILED")["version"] == 2


parts = {
    "service": service,
    "disabled": disabled,
    "tags": tags,
    "deployments": deployments,
    "retries": retries,
    "refusals": refusals,
    "failure": failure,
}
parts[sys.argv[1]]()
