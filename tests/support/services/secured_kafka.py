"""A real broker that lets nobody in without TLS and a login, with certificates made for it, and the place that issues its tokens."""

import base64
import contextlib
import http.server
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from dunlin.stack.ports import HOST, free_ports
from tests.support.services.own_servers import running

PASSWORD = "swordfish-of-the-heron"
_EXTENSIONS = "subjectAltName=IP:127.0.0.1"


def certificates(folder: Path) -> None:
    """An authority (ca.pem), the broker's certificate with its key (server.pem) and a client's (client.pem, client.key)."""
    _openssl(folder, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=heron-authority")
    for name in ("server", "client"):
        _openssl(folder, f"req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}")
        (folder / f"{name}.ext").write_text(_EXTENSIONS)
        sign = f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.crt -days 2 -extfile {name}.ext"
        _openssl(folder, sign)
    (folder / "server.pem").write_text((folder / "server.key").read_text() + (folder / "server.crt").read_text())


def _openssl(folder: Path, words: str) -> None:
    done = subprocess.run(["openssl", *words.split()], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


_PROPERTIES = """\
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller},LOGIN://{host}:{login},CERTIFICATE://{host}:{certificate}
advertised.listeners=PLAINTEXT://{host}:{port},LOGIN://{host}:{login},CERTIFICATE://{host}:{certificate}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LOGIN:SASL_SSL,CERTIFICATE:SSL
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
listener.name.certificate.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
 user_dunlin="{password}" user_guest="{password}";
listener.name.login.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.login.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.login.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
 unsecuredLoginStringClaim_sub="dunlin";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:dunlin;User:CN=client
"""


@dataclass(frozen=True)
class SecuredKafka:
    """Its addresses: of the clear listener that the test itself uses, of the one with logins, and of the one with certificates."""

    folder: Path
    clear: str
    login: str
    certificate: str
    tokens: str = field(repr=False)

    def environment(self, mechanism: str, user: str = "dunlin", password: str = PASSWORD) -> dict[str, str]:
        """The settings of a program that comes in this way; CERTIFICATE is a client's certificate in the place of a login."""
        secret = self.folder / f"secret-{user}-{abs(hash(password))}"
        secret.write_text(f"{password}\n")
        if mechanism == "CERTIFICATE":
            return {
                "DUNLIN_KAFKA_BOOTSTRAP": self.certificate,
                "DUNLIN_KAFKA_SECURITY_PROTOCOL": "SSL",
                "DUNLIN_KAFKA_SSL_CA_FILE": str(self.folder / "ca.pem"),
                "DUNLIN_KAFKA_SSL_CERTIFICATE_FILE": str(self.folder / "client.crt"),
                "DUNLIN_KAFKA_SSL_KEY_FILE": str(self.folder / "client.key"),
            }
        common = {
            "DUNLIN_KAFKA_BOOTSTRAP": f"{HOST}:1,{self.login}",  # the first one is away
            "DUNLIN_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "DUNLIN_KAFKA_SASL_MECHANISM": mechanism,
            "DUNLIN_KAFKA_SSL_CA_FILE": str(self.folder / "ca.pem"),
        }
        if mechanism == "OAUTHBEARER":
            return common | {
                "DUNLIN_KAFKA_OAUTH_TOKEN_URL": self.tokens,
                "DUNLIN_KAFKA_OAUTH_CLIENT_ID": user,
                "DUNLIN_KAFKA_OAUTH_CLIENT_SECRET_FILE": str(secret),
            }
        return common | {"DUNLIN_KAFKA_SASL_USERNAME": user, "DUNLIN_KAFKA_SASL_PASSWORD_FILE": str(secret)}


@contextlib.contextmanager
def secured_kafka() -> Iterator[SecuredKafka]:
    """The broker, until the block is left."""
    port, controller, login, certificate = free_ports(4)
    with tempfile.TemporaryDirectory(prefix="dunlin-test-secured-") as directory, token_endpoint() as tokens:
        folder = Path(directory)
        certificates(folder)
        more = folder / "more.properties"
        ports = {"port": port, "controller": controller, "login": login, "certificate": certificate}
        more.write_text(_PROPERTIES.format(host=HOST, folder=folder, password=PASSWORD, **ports))
        options = ["--port", str(port), "--controller-port", str(controller), "--properties", str(more)]
        with running("dunlin.kafka_server", folder, options, port):
            _add_scram_users(f"{HOST}:{port}")
            yield SecuredKafka(folder, f"{HOST}:{port}", f"{HOST}:{login}", f"{HOST}:{certificate}", tokens)


def _add_scram_users(bootstrap: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for kind in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        wanted = UserScramCredentialUpsertion("dunlin", ScramCredentialInfo(kind, 4096), PASSWORD.encode())
        admin.alter_user_scram_credentials([wanted])["dunlin"].result(30)


class _Tokens(http.server.BaseHTTPRequestHandler):
    """An OpenID provider's token endpoint: unsecured tokens (alg none), which Kafka's built-in validator takes."""

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        user, _, password = base64.b64decode(self.headers.get("Authorization", "Basic Og==").split()[1]).decode().partition(":")
        good = form.get("grant_type") == ["client_credentials"] and password == PASSWORD
        now = int(time.time())
        claims = {"sub": user, "iat": now, "exp": now + 600}
        token = f"{_part({'alg': 'none'})}.{_part(claims)}."
        body = json.dumps(
            {"access_token": token, "token_type": "Bearer", "expires_in": 600} if good else {"error": "invalid_client"}
        ).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


def _part(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@contextlib.contextmanager
def token_endpoint() -> Iterator[str]:
    """The address of a token endpoint, until the block is left."""
    server = http.server.ThreadingHTTPServer((HOST, 0), _Tokens)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://{HOST}:{server.server_port}/token"
    server.shutdown()
    thread.join()
    server.server_close()
