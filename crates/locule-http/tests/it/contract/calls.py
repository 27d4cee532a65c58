"""Gives the calls that Schemathesis makes up credentials, and things that there are.

An operation that ends or changes what it is about gets one of its own, so that no call finds what another left behind.
What is wrong with a call on purpose stays wrong.
"""

import itertools
import json
import os
import string
import uuid

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation

WORLD = json.loads(os.environ["LOCULE_WORLD"])
session = requests.Session()
# Counted, not drawn: the same calls in every run.
numbers = itertools.count()


def ask(method, path, token=None, body=None):
    """Asks the application, outside of what is checked; with the team's key unless there is a token."""
    headers = {"Authorization": f"Bearer {token}"} if token else {"X-API-Key": WORLD["key"]}
    answer = session.request(method, WORLD["url"] + path, headers=headers, json=body, timeout=20)
    answer.raise_for_status()
    return answer.json() if answer.content else None


class Account:
    """ProviderAccount with a team of their own."""

    def __init__(self):
        self.email = f"person{next(numbers)}@contract.test"
        body = {"email": self.email, "password": WORLD["password"], "name": "Ada"}
        made = ask("POST", "/v1/auth/signup", body=body)
        self.token, self.id, self.team = made["token"], made["user_id"], made["team_id"]


class Team:
    """A team of the administrator's, with a member, and the administrator's token for it."""

    def __init__(self):
        self.id = ask("POST", "/v1/teams", WORLD["admin"], {"name": "Contract"})["id"]
        self.token = switched(WORLD["admin"], self.id)
        ask("POST", f"/v1/invitations/{invitation(self, mate().email)}/accept", mate().token)


def invitation(team, email):
    """The token of an invitation to the team."""
    made = ask("POST", f"/v1/teams/{team.id}/members", team.token, {"email": email})
    return made["link"].split("token=")[1]


def invited(_):
    """An account with an invitation to the steady team."""
    account = Account()
    return Stage(account.token, {"token": invitation(steady_team(), account.email)})


def switched(token, team):
    return ask("POST", "/v1/auth/switch-team", token, {"team_id": team})["token"]


def sandbox(paused=False):
    made = ask("POST", "/v1/sandboxes", body={})["id"]
    if paused:
        ask("POST", f"/v1/sandboxes/{made}/pause")
    return made


def process():
    """One that runs until it is signalled, in the steady sandbox."""
    body = {"cmd": "sleep", "background": True}
    return str(ask("POST", f"/v1/sandboxes/{steady_sandbox()}/exec", body=body)["pid"])


def written(path):
    """A file in the steady sandbox."""
    parts = {"path": (None, path), "file": ("a", b"content")}
    url = f"{WORLD['url']}/v1/sandboxes/{steady_sandbox()}/files/write"
    session.post(url, headers={"X-API-Key": WORLD["key"]}, files=parts, timeout=20).raise_for_status()
    return path


def entry(log):
    """The newest entry of an audit log."""
    return Stage(path={"id": ask("GET", f"{log}?limit=1", WORLD["admin"])["items"][0]["id"]})


def own_session(_):
    """A login of an account of its own."""
    account = Account()
    return Stage(account.token, {"id": ask("GET", "/v1/me/sessions", account.token)["items"][0]["id"]})


def once(make):
    made = []
    return lambda: made[0] if made else made.append(make()) or made[0]


mate = once(Account)
victim = once(Account)
steady_team = once(Team)
steady_sandbox = once(sandbox)
steady_file = once(lambda: written("/a"))
steady_host = once(lambda: new_host())
steady_agent = once(lambda: registered())


class Stage:
    """Who calls, what about, and with what: a token, parameters of the path, fields of the body."""

    def __init__(self, token=None, path=None, body=None, host_token=None):
        self.token, self.path, self.body = token or WORLD["admin"], path or {}, body or {}
        self.host_token = host_token


def of_account(body=lambda account: {}):
    def stage(_):
        account = Account()
        return Stage(account.token, body=body(account))

    return stage


def of_team(make, token=lambda team: team.token, body=lambda: {}):
    def stage(_):
        team = make()
        return Stage(token(team), {"id": team.id, "user_id": mate().id}, body())

    return stage


def of_sandbox(make=lambda _: steady_sandbox(), body=lambda: {}, selector=lambda: "1"):
    return lambda number: Stage(path={"id": make(number), "selector": selector(), "port": 8080}, body=body())


# A signing request for a key that no program has.
CSR = """-----BEGIN CERTIFICATE REQUEST-----
MIG6MGICAQAwADBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABND7n/7210R6HDqF
1DAwUr54a7NyGX8E1iwb9tk2VKQYPDhQsEoeWI00osvK/cTH5E7sntmzdF/vH2OF
K2ZFzLigADAKBggqhkjOPQQDAgNIADBFAiAf9aL1E382SEYWkxu1ZMKVZzYKkaa9
TZoLR0BIqSqVqAIhANENcZ7EH/CX/ynKNXNQvO4NfaUbhyax+K/TcXOGDftI
-----END CERTIFICATE REQUEST-----
"""


def new_host():
    """A host that its agent has not registered, and the token for it."""
    return ask("POST", "/v1/hosts", WORLD["admin"], {"type": "regular"})


def registration(_=None):
    """What an agent registers with; its text fields without characters that a schema cannot exclude."""
    token = new_host()["registration_token"]
    address = {"address": "10.0.0.7:50051", "csr_pem": CSR}
    return Stage(body={"token": token, "arch": "x86_64", **address})


def registered():
    """The credentials of an agent that has registered."""
    return ask("POST", "/v1/hosts/register", body=registration().body)


def of_host(body=lambda: {}):
    path = lambda: {"id": steady_host()["host"]["id"], "tag": "gpu", "sandbox_id": steady_sandbox()}
    return lambda _: Stage(path=path(), body=body())


def heartbeat(_):
    """By the agent of a host of its own."""
    agent = registered()
    text = {"agent_version": "1", "accelerator": "kvm", "boot_id": "b", "inventory_hash": "h"}
    body = {"address": None, "templates": [], **text}
    return Stage(path={"id": agent["host"]["id"]}, body=body, host_token=agent["token"])


def of_image(_):
    return Stage(path={"sha256": WORLD["image"]}, host_token=steady_agent()["token"])


def at_times(body):
    """In three of four calls: otherwise what was made up, which is unknown, or known already."""
    return lambda number: Stage(mate().token, body=body() if number % 4 else {})


def of_file(path):
    """In two of three calls: otherwise what was made up, which is not there."""
    return of_sandbox(body=lambda: {"path": path()} if next(numbers) % 3 else {})


# No provider is configured: no call leaves the test.
PROVIDER = lambda _: Stage(path={"provider": "github"})
EITHER = of_sandbox(lambda number: sandbox(paused=number % 2 == 0))
RUNNING = of_sandbox(lambda _: sandbox())


# What an operation is called with. Every other one: by the administrator or with a key, about the steady sandbox.
STAGES = {
    "logout": of_account(),
    "renew": of_account(),
    "end_session": own_session,
    "end_other_sessions": of_account(),
    "delete_me": of_account(lambda account: {"confirmation": account.email}),
    "change_password": of_account(lambda _: {"current_password": WORLD["password"]}),
    "switch_team": at_times(lambda: {"team_id": mate().team}),
    "sign_up": at_times(lambda: {"email": f"call{next(numbers)}@contract.test", "invitation": None}),
    "login": at_times(lambda: {"email": mate().email, "password": WORLD["password"]}),
    "begin_oauth": PROVIDER,
    "finish_oauth": PROVIDER,
    "connect_provider": PROVIDER,
    "disconnect_provider": PROVIDER,
    "get_team": of_team(steady_team),
    "rename_team": of_team(steady_team),
    "list_members": of_team(steady_team),
    "accept_invitation": invited,
    "add_member": of_team(steady_team, body=lambda: {"email": Account().email}),
    "delete_team": of_team(Team),
    "leave_team": of_team(Team, token=lambda team: switched(mate().token, team.id)),
    "set_member_role": of_team(Team),
    "remove_member": of_team(Team),
    "delete_any_team": of_team(Team, token=lambda _: None),
    "set_team_byoc": of_team(steady_team, token=lambda _: None),
    "get_team_quota": of_team(steady_team, token=lambda _: None),
    "set_team_quota": of_team(steady_team, token=lambda _: None),
    "create_host": lambda _: Stage(
        body={"type": "regular", "team_id": None, "provider": None, "availability_zone": None}
    ),
    "get_host": of_host(),
    "update_host": of_host(lambda: {"cordoned": False}),
    "drain_host": of_host(lambda: {"running": "wait"}),
    "list_host_sandboxes": of_host(),
    "preview_host_delete": of_host(),
    "list_host_quarantine": of_host(),
    "import_sandbox": of_host(lambda: {"team_id": None}),
    "accept_database": of_host(),
    "delete_host": lambda _: Stage(path={"id": new_host()["host"]["id"]}),
    "create_host_token": of_host(),
    "list_host_tags": of_host(),
    "add_host_tag": of_host(lambda: {"tag": "gpu"}),
    "remove_host_tag": of_host(),
    "register_host": registration,
    "refresh_host": lambda _: Stage(body={"refresh_token": registered()["refresh_token"], "csr_pem": CSR}),
    "send_heartbeat": heartbeat,
    "list_host_images": of_image,
    "read_host_image": of_image,
    "set_user_active": lambda _: Stage(path={"id": victim().id}),
    "revoke_api_key": lambda _: Stage(path={"id": ask("POST", "/v1/api-keys", WORLD["admin"], {})["id"]}),
    "get_audit_log": lambda _: entry("/v1/audit-logs"),
    "get_platform_audit_log": lambda _: entry("/v1/admin/audit-logs"),
    "destroy_sandbox": EITHER,
    "pause_sandbox": EITHER,
    "update_sandbox": EITHER,
    "resume_sandbox": EITHER,
    "exec": of_sandbox(body=lambda: {"cmd": "fail"}),
    "kill_process": of_sandbox(selector=process),
    "read_file": of_file(steady_file),
    "read_file_stream": of_file(steady_file),
    "list_files": of_file(lambda: steady_file() and "/"),
    "stat_file": of_file(steady_file),
    "move_file": of_sandbox(body=lambda: {"from": written("/from"), "to": f"/to{next(numbers)}"}),
    "remove_file": of_file(lambda: written("/b")),
    "e2b_kill_sandbox": EITHER,
    "e2b_pause_sandbox": EITHER,
    # What it was created with says whether `autoPause` may be asked for.
    "e2b_resume_sandbox": of_sandbox(lambda _: sandbox(paused=True), lambda: {"autoPause": None}),
    "e2b_connect_sandbox": EITHER,
    "e2b_connect_sandbox_v1": EITHER,
    "e2b_set_timeout": RUNNING,
    "e2b_refresh_sandbox": RUNNING,
}


def bare(sandbox_id):
    """The same id as 25 digits of base 36."""
    number, digits = uuid.UUID(sandbox_id.removeprefix("sb-")).int, ""
    for _ in range(25):
        number, digit = divmod(number, 36)
        digits = (string.digits + string.ascii_lowercase)[digit] + digits
    return digits


def make_whole(value):
    """JSON Schema takes 1.0 for an integer; the application does not."""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, float) and item.is_integer():
            value[name] = int(item)
        elif isinstance(item, (dict, list)):
            make_whole(item)


def make_right(body, stage):
    """Does to a body that is to be accepted what its schema cannot say; in place, or Schemathesis judges it anew."""
    make_whole(body)
    if "file" in body:
        # In this order, and no part whose name fits no header.
        path, file = body["path"], body["file"]
        body.clear()
        body.update(path=path, file=file)
    if body.get("expires_at"):
        body["expires_at"] = "2100-01-01T00:00:00Z"
    body.update(stage.body)


@schemathesis.auth(refresh_interval=None)
class Credentials:
    """Asked once for each call that is made up, before it is made."""

    def get(self, case, context):
        number = next(numbers)
        stage = STAGES.get(context.operation.definition.raw["operationId"], of_sandbox())
        return number, stage(number)

    def set(self, case, data, context):
        number, stage = data
        # Before anything is changed: to look at it again is to have it judged again.
        meta = case.meta
        right = lambda part: not (meta and meta.is_negative_at(part))
        takes_keys = "security" not in context.operation.definition.raw
        if takes_keys and number % 4 < 2:
            case.headers["X-API-Key"] = WORLD["key"]
        elif stage.host_token:
            case.headers["X-Host-Token"] = stage.host_token
        else:
            case.headers["Authorization"] = f"Bearer {stage.token}"
        # One in eight is about something that is not there.
        if right(ParameterLocation.PATH) and number % 8:
            for name in case.path_parameters:
                about = stage.path[name]
                in_other_dialect = name == "id" and not case.operation.path.startswith("/v1/")
                case.path_parameters[name] = bare(about) if in_other_dialect else about
        if right(ParameterLocation.BODY) and isinstance(case.body, dict):
            make_right(case.body, stage)
        # One in four repeats a key that another request had.
        if right(ParameterLocation.HEADER) and "Idempotency-Key" in case.headers and number % 4:
            case.headers["Idempotency-Key"] = f"call-{number}"
