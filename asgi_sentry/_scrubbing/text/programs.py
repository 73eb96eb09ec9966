"""Which programs take secrets as arguments, and where.

A line of the table is one or several programs, and behind `=` what tells their secrets.

    -p      its value is one: `-p value`, `-p=value`
    -p*     as well without a space: `-pvalue`
    -p+     only without a space
    -u:     its value is a user and a password, with this character between them; `%`, `,`, `/`, `=`
    :/      so is an argument without an option
    add>2   the second argument behind a word that begins like this
    -t~     only what looks like a token or a password; `add>1~`, too
    last-b  the last argument, where the flag -b is set
    ?login  only where this is among the first arguments; `?login,--creds`. What has to look like
            one is found in any case
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BY_NAME", "Program"]


class Program(NamedTuple):
    """Where a program takes secrets.

    Attributes:
        next: options whose value is one: `-p value` and `-p=value`.
        glued: options whose value is one without a space: `-pvalue`.
        mixed: those of them whose value has to look like a token or a password.
        user: options whose value is a user and a password, with what stands between the two.
        behind: what a word begins with, the number of arguments from it to the secret, and whether
            that has to look like one.
        last: a flag that says that the last argument is one.
        only: one of these has to be among the first arguments.
    """

    next: frozenset[str]
    glued: tuple[str, ...]
    mixed: frozenset[str]
    user: tuple[tuple[str, str], ...]
    behind: tuple[tuple[str, int, bool], ...]
    last: str
    only: tuple[str, ...]


_TABLE = """
curl = -u: -U: --user: --proxy-user: -E: --cert: --proxy-cert:
http https xh xhs = -a: --auth: -a~ --auth~ --bearer
mysql mysqldump mysqladmin mysqlimport mysqlshow mysqlcheck mycli = -p+
mariadb mariadb-dump mariadb-admin 7z 7za 7zz rar unrar mysqlbinlog mysqlpump = -p+ -hp+
mysqlsh = -p+ ::
zip unzip mosquitto_pub mosquitto_sub mosquitto_rr ipmitool sqlcmd osql isql bcp tsql = -P*
fisql = -P*
sshpass mongo mongosh mongodump mongorestore mongoimport mongoexport mongostat = -p*
twine cqlsh ncftp ncftpput ncftpget pymongo beeline cypher-shell veracrypt = -p*
docker podman nerdctl helm skopeo buildah crane ibmcloud = -p* --password --creds: ?login,--creds
az = -p* --password --value~ ?login
oc = -p* --password --from-literal= ?login,secret
cf = -p~ auth>2~
ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami ldapcompare vsql = -w*
ldappasswd = -w* -s -a
plink pscp psftp putty nzsql = -pw
snmpget snmpwalk snmpset snmpbulkwalk = -A -X -c~
sqlplus sqlldr expdp impdp rman = :/
redis-cli valkey-cli keydb-cli = -a --pass auth>1~ auth>2~ AUTH>1~ AUTH>2~
htpasswd mosquitto_passwd = last-b
openssl = -k -K -hmac passwd>1~ passwd>2~ passwd>3~
ssh-keygen = -N -P
smbclient rpcclient smbmap smbcacls net = -U% -p~ //>1~
lftp = -u,
xfreerdp wlfreerdp = /p:+
rdesktop evil-winrm crackmapexec netexec psexec winexe wmic racadm = -p~
aws = --value~
npm = revoke>1~
kubectl = --from-literal= ?secret
gcloud = activate-refresh-token>2~
poetry = http-basic.>2 pypi-token.>1 -p~
uv = -t~
rabbitmqctl = add_user>2 change_password>2 authenticate_user>2
rabbitmqadmin couchbase-cli cbbackup cbrestore elasticsearch-users = -p~
airflow expo knife supabase keepassxc-cli steghide pfxtool = -p~ -P~
mc = alias>5~ host>5~ user>4~
vault = :=~ login>1~ unwrap>1~ unseal>1~ revoke>1~
cargo = login>1~
bw = login>2~ unlock>1~ --raw>1~
etcdctl = --user: add:
keytool = -new -srcstorepass -deststorepass -srckeypass -destkeypass
security = -w~ -p~ -P~
certutil = -p~
signtool = /p~ -p~
xcrun = -p~
dotnet nuget = -k~ push>2~ setapikey>1~
gem = --key~
eas = -p~ --value~
influx doctl fly flyctl vercel codecov = -t~
gitlab-runner = -r~
gh = --body~ -b~
swift = -K
swaks sendemail sendEmail = -ap -xp
pdftotext pdfimages pdftoppm pdfinfo = -upw -opw
pdftk = input_pw>1 user_pw>1 owner_pw>1
qpdf = --encrypt>1~ --encrypt>2~
slappasswd = -s
doveadm = -p
usermod useradd = -p~
consul = -encrypt
neo4j-admin = set-initial-password>1~
grafana-cli grafana = reset-admin-password>1~
drush = user:password>2~ upwd>2~
wpa_passphrase = wpa_passphrase>2
runas = /user:>1~
iwconfig nmcli = key>1~ psk>1 password>1 wifi-sec.psk>1 802-11-wireless-security.psk>1
heroku = auth:token>1~
ngrok = authtoken>1~ add-authtoken>1~ --basic-auth: -auth:
snyk = auth>1~
pulumi = set>2~ set>3~
caddy = --plaintext
gpg gpg2 = --passphrase
ansible-vault = encrypt_string>1~
kinit = --password
schtasks = /rp
rclone yarn = --password
wandb = login>1~ --relogin>1~
"""


def _program(specs: list[str]) -> Program:
    simple: set[str] = set()
    mixed: set[str] = set()
    glued: list[str] = []
    user: list[tuple[str, str]] = []
    behind: list[tuple[str, int, bool]] = []
    only: tuple[str, ...] = ()
    last = ""
    for spec in specs:
        plain = spec.rstrip("~")
        has_look = plain != spec
        if spec.startswith("?"):
            only = tuple(spec[1:].split(","))
        elif spec.startswith("last-"):
            last = spec.removeprefix("last-")
        elif ">" in spec:
            word, _, number = plain.partition(">")
            behind.append((word, int(number), has_look))
            continue
        elif plain[-1] in ":%,/=":
            option = plain[:-1].removeprefix(":")
            user.append((option, plain[-1]))
        else:
            option = plain.rstrip("*+")
            if plain != option:
                glued.append(option)
            if plain[-1] != "+":
                simple.add(option)
        if has_look:
            mixed.add(option)
    return Program(
        frozenset(simple), tuple(glued), frozenset(mixed), tuple(user), tuple(behind), last, only
    )


def _programs() -> dict[str, Program]:
    found: dict[str, Program] = {}
    for line in _TABLE.strip().splitlines():
        names, _, specs = line.partition(" =")
        found.update(dict.fromkeys(names.split(), _program(specs.split())))
    return found


BY_NAME = _programs()
