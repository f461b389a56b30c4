"""A connection that bears a person's token has nothing of the operator's."""

from execloop.kube import Cluster, Connection
from execloop.kube.config.credentials import ClientCertificate, Credential, StaticCredentials

OURS = Credential("Bearer ours", ClientCertificate("certificate", "key"))


def test_it_has_neither_the_operators_token_nor_its_certificate() -> None:
    ours = Connection(Cluster("https://cluster.example", StaticCredentials(OURS)))
    person = ours.bearing("theirs")
    assert person.cluster.credentials.fresh() == Credential()
    assert person.cluster.credentials.renew(None) == Credential()
    assert person._identity == {"Authorization": "Bearer theirs"}
    assert person._sessions is not ours._sessions
    assert ours.cluster.credentials.fresh() == OURS


def test_one_that_acts_as_a_service_account_does_not_act_so_for_a_person() -> None:
    ours = Connection(Cluster("https://cluster.example", StaticCredentials(OURS)))
    assert ours.impersonating("n", "deployer").bearing("theirs").impersonated is None


def test_people_do_not_share_a_token() -> None:
    ours = Connection(Cluster("https://cluster.example", StaticCredentials(OURS)))
    first, second = ours.bearing("first"), ours.bearing("second")
    assert first._identity != second._identity
    assert first._sessions is second._sessions
