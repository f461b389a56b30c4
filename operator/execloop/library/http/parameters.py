"""The parameters of the plan `http`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from yarl import URL

from execloop._plans.duration import Duration
from execloop.library.cel.field import compiles

__all__ = ["Change", "Headers", "OAuth2", "Parameters", "Poll", "Search", "Secret", "Url"]

_CONFIG = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_OURS = {"authorization", "connection", "content-length", "host", "if-match", "transfer-encoding", "accept-encoding"}


def _url(value: str) -> str:
    try:
        url = URL(value)
        port = url.port
    except ValueError:
        raise ValueError("should be a URL such as https://api.example.com/v1/teams/blue") from None
    if url.scheme not in {"http", "https"} or not url.host or not port:
        raise ValueError("should be a URL such as https://api.example.com/v1/teams/blue")
    if "${" in f"{url.scheme}://{value.partition('://')[2].partition('/')[0]}":
        raise ValueError("should name its host: a placeholder may stand in the path and the query only")
    if url.user is not None or url.password is not None:
        raise ValueError("should have no user and password: give them as username and password")
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not _HEADER.fullmatch(name) or not text.isprintable():
            raise ValueError(f"{name[:100]!r} and its value should be printable text without line ends")
        if name.lower() in _OURS:
            raise ValueError(f"{name} is set by the plan itself")
    return value


Url: TypeAlias = Annotated[str, Field(max_length=4096), AfterValidator(_url)]
Headers: TypeAlias = Annotated[dict[str, str], AfterValidator(_headers)]
Secret: TypeAlias = Annotated[str, Field(max_length=65536)]
Rule: TypeAlias = Annotated[str, compiles("object", result=bool)]


class Search(BaseModel):
    """How to find a resource whose URL is not known."""

    model_config = _CONFIG

    url: Url = Field(description="The list, with its filter in the query")
    items: str = Field(default="", max_length=200, description="Where the list is in the answer, such as `data.items`")
    match: dict[str, Any] = Field(min_length=1, description="What the item has: as with `expect`, it may have more")
    next: str | None = Field(
        default=None,
        max_length=200,
        description="Where the answer has the next page's URL, or with `nextParameter` its token. Without it a Link"
        " header is followed",
    )
    next_parameter: str | None = Field(
        default=None, max_length=100, description="The parameter of the query that takes the token"
    )
    item_url: Url = Field(description="The item's own URL, with fields of it: `https://api.example.com/teams/${id}`")


class Change(BaseModel):
    """A request that changes something."""

    model_config = _CONFIG

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = Field(description="The method")
    url: Url | None = Field(default=None, description="Default: the resource's own")
    body: Any = Field(
        default=None, description="The JSON to send. Default: `expect`; for PUT, what is there with `expect` in it"
    )
    content_type: str = Field(default="application/json", pattern=r"^[\w.+-]+/[\w.+-]+$", description="The body's type")


class Poll(BaseModel):
    """How an operation is followed that the server answers with 202."""

    model_config = _CONFIG

    url: str | None = Field(
        default=None,
        max_length=200,
        description="Where the answer has the operation's URL. Default: the headers"
        " Operation-Location, Azure-AsyncOperation and Location",
    )
    done: Rule = Field(description="CEL over the operation as `object`: whether it has ended well")
    failed: Rule = Field(default="false", description="CEL over the operation as `object`: whether it has failed")
    every: Duration = Field(default=Duration("5s"), description="How often the plan asks for it")


class OAuth2(BaseModel):
    """Client credentials (RFC 6749, 4.4)."""

    model_config = _CONFIG

    token_url: Url = Field(description="Who grants the token")
    scope: str = Field(default="", max_length=1000, description="What for")
    audience: str = Field(default="", max_length=1000, description="The audience, for a server that requires one")


class Parameters(BaseModel):
    """A resource of a REST API, and how it should be."""

    model_config = _CONFIG

    url: Url | None = Field(default=None, description="The resource's own URL")
    search: Search | None = Field(default=None, description="How it is found, where its URL is not known")
    expect: dict[str, Any] = Field(
        default_factory=dict,
        description="Fields that it should have. Other fields are not drift. `${null}` is null, or no such field",
    )
    expect_when: Rule | None = Field(
        default=None,
        description="CEL over the resource as `object`: whether it is as it should be, for what `expect` cannot say",
    )
    ready_when: Rule | None = Field(
        default=None, description="CEL over the resource as `object`: whether it is ready. Until then the Plan waits"
    )
    create: Change | None = Field(default=None, description="How it is created. Default: PUT for `url`, else nothing")
    update: Change | None = Field(default=None, description="How it is changed. Default: PATCH")
    delete: Change | None = Field(default=None, description="How a teardown deletes it. Default: DELETE")
    poll: Poll | None = Field(default=None, description="How an asynchronous operation is followed")
    absent: list[int] = Field(
        default=[404, 410], max_length=10, description="The statuses that say that it does not exist"
    )
    observe_only: bool = Field(default=False, description="Change nothing: wait until it is as expected")
    headers: Headers = Field(
        default_factory=dict, max_length=50, repr=False, description="Headers of each request to its server"
    )
    values: dict[str, Secret] = Field(
        default_factory=dict,
        repr=False,
        description="What `${name}` stands for in URLs, headers and bodies; from a Secret",
    )
    username: str | None = Field(default=None, max_length=1000, description="The user, for Basic authentication")
    password: Secret | None = Field(default=None, repr=False, description="The password, for Basic authentication")
    token: Secret | None = Field(default=None, repr=False, description="A bearer token")
    oauth2: OAuth2 | None = Field(
        default=None, description="OAuth 2 client credentials; with `clientId` and `clientSecret`"
    )
    client_id: Secret | None = Field(default=None, description="The client's id")
    client_secret: Secret | None = Field(default=None, repr=False, description="The client's secret")
    certificate: Secret | None = Field(
        default=None,
        validation_alias=AliasChoices("certificate", "tls.crt"),
        description="A client's certificate in PEM, for mTLS",
    )
    key: Secret | None = Field(
        default=None, repr=False, validation_alias=AliasChoices("key", "tls.key"), description="Its key in PEM"
    )
    ca: Secret | None = Field(
        default=None,
        validation_alias=AliasChoices("ca", "ca.crt"),
        description="Certificates in PEM that the server's must be signed by",
    )
    timeout: Duration = Field(default=Duration("30s"), description="For each request")

    @model_validator(mode="after")
    def _whole(self) -> Parameters:
        if (self.url is None) == (self.search is None):
            raise ValueError("give either url or search")
        if self.search is not None and self.create is not None and self.create.url is None:
            raise ValueError("create.url is missing: a resource that is found by search has no URL before it exists")
        if self.oauth2 is not None and not (self.client_id and self.client_secret):
            raise ValueError("clientId and clientSecret are missing, which oauth2 needs")
        if sum(each is not None for each in (self.oauth2, self.token, self.username)) > 1:
            raise ValueError("give one of oauth2, token and username: more than one says who asks")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: one of them is missing")
        if not self.expect and self.expect_when is None and self.create is not None and self.create.body is None:
            raise ValueError("expect is missing, and create.body too: there is nothing to create")
        return self
